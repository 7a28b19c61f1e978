"""Template files of both forms, ours and users' own."""

from importlib.resources import files
from pathlib import Path

import pytest

from selfjudge import TemplateError, load_in_place_templates, load_template, load_templates

DOCUMENT = """
name: mine
source: me
context: instruction
system: Judge.
user: "{context} / {response_a} / {response_b}"
answer_prefix: "It is "
"""
IN_PLACE = """
name: asked
form: in-place
source: me
question: Is it so?
labels: ["yes", "no"]
"""


def written(path: Path, text: str) -> Path:
    file = path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_users_bring_their_own(tmp_path: Path) -> None:
    written(tmp_path, DOCUMENT)
    templates = load_templates(tmp_path)
    assert len(templates) == 5
    assert templates["mine"] == load_template(tmp_path / "mine.yaml")


def test_both_forms_lie_in_one_folder(tmp_path: Path) -> None:
    written(tmp_path, DOCUMENT)
    (tmp_path / "asked.yaml").write_text(IN_PLACE, encoding="utf-8")
    assert set(load_templates(tmp_path)) - set(load_templates()) == {"mine"}
    assert set(load_in_place_templates(tmp_path)) == {"in-place-score", "in-place-pair", "asked"}


@pytest.mark.parametrize("text", [DOCUMENT, IN_PLACE])
def test_a_folder_may_hold_one_form_alone(tmp_path: Path, text: str) -> None:
    written(tmp_path, text)
    assert len(load_templates(tmp_path)) + len(load_in_place_templates(tmp_path)) == 7


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (IN_PLACE.replace("in-place", "document"), "key 'form': Input should be 'in-place'"),
        (IN_PLACE + "colour: red", "key 'colour': unknown key; known are form, name, source, question, answer_prefix,"),
        (IN_PLACE.replace('"yes", "no"', "yes, no"), "key 'labels.0': write labels in quotes"),
        (IN_PLACE.replace("asked", "hh-helpful"), "the name 'hh-helpful' is taken; choose another"),
    ],
)
def test_a_malformed_file_is_an_error_whichever_form_is_asked_for(tmp_path: Path, text: str, complaint: str) -> None:
    file = written(tmp_path, text)
    for load in (load_templates, load_in_place_templates):
        with pytest.raises(TemplateError, match=complaint) as caught:
            load(tmp_path)
        assert str(file) in str(caught.value)


def test_a_missing_file_and_an_empty_directory_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"nowhere\.yaml: cannot be read"):
        load_template(tmp_path / "nowhere.yaml")
    with pytest.raises(TemplateError, match=r"has no \*\.yaml file; give a directory of judgment templates"):
        load_templates(tmp_path)


def test_the_examples_of_the_readme_are_templates(tmp_path: Path) -> None:
    readme = files("selfjudge").joinpath("templates", "README.md").read_text(encoding="utf-8")
    for number, example in enumerate(readme.split("```yaml\n")[1:]):
        (tmp_path / f"{number}.yaml").write_text(example.split("```")[0], encoding="utf-8")
    document = load_templates(tmp_path)["brevity"]
    assert document.turns == load_templates()["hh-helpful"].turns
    assert document.rationale is not None
    assert load_in_place_templates(tmp_path)["brief"].labels == ("yes", "no")
