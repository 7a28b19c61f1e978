"""`selfjudge-train data`: preview and stats of a file of instructions."""

from pathlib import Path

import pytest
from selfjudge_training.cli import main
from selfjudge_training.data.rows import write_lines

from experiments.letters.preferences.rows import checkable_rows

RECIPE = """
start: {path: selfjudge/models/selfjudge-tiny, architecture: llama}
data:
  template: ultrafeedback-principle-rationale
  demonstrations: [{format: ultrafeedback, path: %(file)s}]
  pairs: [{format: ultrafeedback, path: %(file)s}]
  max_length: 900
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    write_lines(checkable_rows("ultrafeedback", 30), tmp_path / "rows.jsonl.gz")
    (tmp_path / "recipe.yaml").write_text(RECIPE % {"file": tmp_path / "rows.jsonl.gz"})
    return str(tmp_path / "recipe.yaml")


def test_preview_shows_the_rows(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "preview", "--config", recipe, "--count", "1"]) == 0
    shown, account = capsys.readouterr()
    assert shown.count("dialogue, ") == 1
    assert shown.count("judgment, better response at ") == 2
    assert "Decision: Response ⟦A\n\nEvaluation of Response A: " in shown
    assert "30 demonstrations from 30 rows, 0 of them malformed" in account


def test_stats_count_the_rows(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stats", "--config", recipe]) == 0
    shown = capsys.readouterr().out
    assert "judgment, truthfulness" in shown
    assert "at A in 50.0% of" in shown


def test_malformed_rows_are_shown_and_strict_stops(
    tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.jsonl").write_text('{"prompt": "Hi", "chosen": "Ho", "rejected": "Ha"}\n{"prompt": 1}\n')
    mine = f"[{{format: preferences, path: {tmp_path / 'mine.jsonl'}}}]"
    arguments = [
        *("data", "stats", "--config", recipe, "data.template=ultrafeedback"),
        *(f"data.pairs={mine}", f"data.demonstrations={mine}"),
    ]
    assert main(arguments) == 0
    assert "mine.jsonl:2: prompt" in capsys.readouterr().err
    assert main([*arguments, "--strict"]) == 2
    assert "mine.jsonl:2: prompt" in capsys.readouterr().err


def test_errors_name_what_is_wrong(tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stats", "--config", recipe, "data.template=other"]) == 2
    assert "known are hh-helpful" in capsys.readouterr().err
    assert main(["data", "preview", "--config", recipe, "--tokenizer", str(tmp_path)]) == 2
    assert "no tokenizer" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["preview", "stats"])
def test_sources_that_give_nothing_are_refused(
    action: str, recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "missing.jsonl").write_text('{"prompt": "Hi", "answer": "Ho"}\n["Hi"]\n', encoding="utf-8")
    sources = f"[{{format: preferences, path: {tmp_path / 'missing.jsonl'}}}]"
    given = [f"data.pairs={sources}", f"data.demonstrations={sources}", "data.template=ultrafeedback"]
    assert main(["data", action, "--config", recipe, *given]) == 2
    account = capsys.readouterr().err
    assert "missing.jsonl:1: chosen: Field required" in account
    assert "missing.jsonl:2: Input should be an object" in account
    assert account.endswith("the sources give no demonstration, pair or score; the account above says why\n")


def test_help_names_defaults_only_where_there_are_some(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["data", "stats", "--help"])
    shown = capsys.readouterr().out
    assert "(default: jsft-tiny)" in shown
    assert "default: None" not in shown
    assert "default: False" not in shown
