"""Whole evaluations of the tiny model, by the command line, small enough for a test."""

import json
from pathlib import Path

import pytest
from selfjudge_training.cli import main
from selfjudge_training.evaluation.policy.questions import load_outputs, load_questions

from tests.training.evaluation.questions import write_questions
from tests.training.evaluation.test_report import Page


def report(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert Page((folder / "report.html").read_text(encoding="utf-8")).open == []
    return content


def test_the_shipped_model_judges_its_tasks(tmp_path: Path) -> None:
    preferences = tmp_path / "pairs.jsonl"
    rows = [
        {"prompt": f"Sort these letters: {a}", "chosen": "".join(sorted(a)), "rejected": a} for a in ("QDBA", "ZYX")
    ]
    preferences.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    output = tmp_path / "out"
    pairs = f"pairs=[{{format: preferences, path: {preferences}}}]"
    small = ("sampled.samples=3", f"sampled.questions={write_questions(tmp_path / 'questions.json', 12)}")
    assert main(["evaluate", "judge", "--output", str(output), *small, pairs]) == 0
    content = report(output)
    results = content["results"]
    assert isinstance(results, dict)
    assert set(results) == {str(preferences), "Right against sampled answers"}
    sampled = results["Right against sampled answers"]["overall"]
    # 0.986 on 4,442 pairs (the model card).
    assert sampled["accuracy"]["mean"] > 0.8
    assert sampled["label_mass"]["mean"] > 0.99
    assert sampled["cut"]["mean"] == 0.0
    assert (output / "config.yaml").is_file()
    assert (output / "versions.json").is_file()


def test_the_shipped_models_answers_get_better_by_self_rejection(tmp_path: Path) -> None:
    output = tmp_path / "out"
    small = (f"questions={write_questions(tmp_path / 'questions.json', 24)}", "sweep.sizes=[1, 8]")
    assert main(["evaluate", "policy", "--output", str(output), *small]) == 0
    results = report(output)["results"]
    assert isinstance(results, dict)
    one, eight = results["sweep"]
    assert one["exact_match"]["mean"] < eight["exact_match"]["mean"]
    assert one["win_rate"]["mean"] < eight["win_rate"]["mean"]
    assert results["answers"]["exact_match"]["overall"]["observations"] == 24
    questions = load_questions(output / "outputs.json")
    assert load_outputs(output / "outputs-best-of-8.json", questions).generator == "selfjudge-tiny-best-of-8"


def test_outputs_of_two_models_meet(tmp_path: Path) -> None:
    def outputs(name: str, text: str) -> Path:
        row = {"instruction": "Sort these letters: QDBA", "output": text, "generator": name}
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps([row]), encoding="utf-8")
        return path

    ours, theirs = outputs("ours", "ABDQ"), outputs("theirs", "QDBA")
    arguments = (
        f"policy={{kind: outputs, at: {ours}}}",
        f"questions={ours}",
        f"baseline={theirs}",
        "judge={kind: folder, at: selfjudge/models/selfjudge-tiny}",
        "sweep=null",
    )
    output = tmp_path / "out"
    assert main(["evaluate", "policy", "--output", str(output), *arguments]) == 0
    results = report(output)["results"]
    assert isinstance(results, dict)
    assert (results["comparison"]["generator"], results["comparison"]["baseline"]) == ("ours", "theirs")
    assert results["comparison"]["win_rate"]["mean"] == 1.0


def test_the_two_parts_of_a_file_are_two_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"prompt": f"Sort these letters: {a}B", "chosen": f"B{a}", "rejected": a} for a in "CDEFGHIJKLMNOPQRSTUVWXYZ"
    ]
    preferences = tmp_path / "pairs.jsonl"
    preferences.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    parts = [f"{{format: preferences, path: {preferences}, part: {part}}}" for part in ("train", "held-out")]
    output = tmp_path / "out"
    # The pairs have no principles; they are judged under all of the template's.
    twice = ["evaluate", "judge", "--output", str(output), "judge.template=ultrafeedback-principle", "sampled=null"]
    twice.append(f"pairs=[{parts[0]}, {parts[0]}]")
    assert main(twice) == 2
    assert "pairs.jsonl, train is there twice" in capsys.readouterr().err
    assert main([*twice[:-1], f"pairs=[{', '.join(parts)}]"]) == 0
    results = report(output)["results"]
    assert isinstance(results, dict)
    assert set(results) == {f"{preferences}, train", f"{preferences}, held-out"}
    assert sum(result["overall"]["accuracy"]["observations"] for result in results.values()) == len(rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("judge", "sampled=null"), "nothing to judge: give one of 'llmbar', 'pairs', 'sampled'"),
        (("judge", "judge.kind=oracle"), "key 'judge.kind'"),
        (("judge", "judge.tempalte=x"), "unknown key; accepted are at, key_variable, kind"),
        (("judge", "judge.template=none"), "no judgment template is called 'none'"),
        (("judge", "judge.at=nowhere"), "nowhere holds no model"),
        (("judge", "judge={kind: chat, at: 'http://judge.test/v1'}"), "needs 'model'"),
        (("judge", "llmbar=nowhere"), "nowhere: holds no"),
        (("policy", "questions=nowhere.json"), "nowhere.json: cannot be read"),
        (("policy", "policy={kind: outputs, at: x.json}"), "a 'sweep' needs a policy that can be sampled"),
        (("policy", "policy={kind: server, at: 'http://policy.test/v1'}"), "needs 'model'"),
    ],
)
def test_a_mistake_is_named(
    arguments: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *overrides = arguments
    assert main(["evaluate", command, "--output", str(tmp_path / "out"), *overrides]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_belongs_to_one_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = (f"questions={write_questions(tmp_path / 'questions.json', 6)}", "sweep=null")
    assert main(["evaluate", "policy", "--output", str(tmp_path), *small]) == 0
    assert main(["evaluate", "policy", "--output", str(tmp_path), "seed=1", *small]) == 2
    assert "seed: 0 there, 1 now" in capsys.readouterr().err
