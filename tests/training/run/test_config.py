"""Configurations: what is accepted, and what is said of a mistake."""

from pathlib import Path
from typing import Self

import pytest
from pydantic import PositiveInt, model_validator
from selfjudge_training.run.config import ConfigError, Section, load_config, recipe_path


class File(Section):
    """A local file."""

    path: str


class Hub(Section):
    """A data set of the hub."""

    name: str
    split: str = "train"


class Rounds(Section):
    """An item of a list."""

    steps: PositiveInt


class Example(Section):
    """A stage."""

    seed: int
    rate: float = 1e-3
    source: File | Hub
    rounds: tuple[Rounds, ...] = ()
    extra: Rounds | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.seed == 13 and self.rounds:
            raise ValueError("'seed' 13 goes without 'rounds'")
        return self


TEXT = """
seed: 1
rate: 2e-5
source: {path: pairs.jsonl}
rounds: [{steps: 3}, {steps: 4}]
extra:
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "example.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_file_is_read_with_the_overrides_on_top(path: Path) -> None:
    config = load_config(Example, path, ["seed=7", "rounds.1.steps=9", "source={name: hh}", "extra.steps=2"])
    assert config == Example(
        seed=7, rate=2e-5, source=Hub(name="hh"), rounds=(Rounds(steps=3), Rounds(steps=9)), extra=Rounds(steps=2)
    )


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("colour=red", r"override 'colour=red': key 'colour': unknown key; accepted are extra, rate, rounds, seed"),
        ("rounds.0.pear=1", r"override 'rounds.0.pear=1': key 'rounds\.0\.pear': unknown key; accepted are steps"),
        ("source.spilt=x", r"unknown key; accepted are (path|name, path, split)"),
        ("extra.step=1", r"key 'extra\.step': unknown key; accepted are steps"),
        ("rounds.0.steps=-1", r"override 'rounds.0.steps=-1': key 'rounds\.0\.steps': Input should be greater than 0"),
        ("rounds.5.steps=1", "leads through a value that has no such part"),
        ("seed.x=1", "leads through a value that has no such part"),
        ("seed", r"should have the form section\.key=value"),
        ("seed=[", "cannot be read as YAML"),
        ("seed=apple", r"key 'seed': Input should be a valid integer"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_accepted(path: Path, override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(Example, path, [override])


def test_keys_that_do_not_go_together_are_the_whole_files_mistake(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"example\.yaml: 'seed' 13 goes without 'rounds'$"):
        load_config(Example, path, ["seed=13"])


def test_a_mistake_in_the_file_names_the_file(path: Path) -> None:
    path.write_text(TEXT + "sed: 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"example\.yaml: key 'sed': unknown key"):
        load_config(Example, path, ["seed=2"])


@pytest.mark.parametrize("text", ["- 1\n", "", "a: ["])
def test_a_file_that_is_no_mapping_is_refused(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"example\.yaml"):
        load_config(Example, path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml: no such file, .* there are evaluate-judge, .* hh, "):
        load_config(Example, tmp_path / "no.yaml")


def test_recipes_of_the_package_go_by_their_bare_name() -> None:
    assert recipe_path("jsft-tiny").is_file()
    assert recipe_path("mine/own.yaml") == Path("mine/own.yaml")
