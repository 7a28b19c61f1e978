"""The rows that docs/training-data.md shows are what the loaders take."""

import re
from pathlib import Path
from typing import get_args

import pytest
from selfjudge_training.data.load import load_asked, load_demonstrations, load_pairs, load_scored
from selfjudge_training.data.source import Format, Source

from selfjudge import load_templates

SHOWN = dict(re.findall(r"```json (\w+)\n(.*?)```", Path("docs", "training-data.md").read_text("utf-8"), re.DOTALL))


@pytest.mark.parametrize("format_", sorted({*get_args(Format)} - {"scored", "prompts"}))
def test_rows_shown_are_taken(format_: Format, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(SHOWN[format_], encoding="utf-8")
    source = Source(format=format_, path=tmp_path / "rows.jsonl")
    pairs = load_pairs([source], load_templates()["ultrafeedback"], strict=True).records
    assert {(pair.chosen, pair.rejected) for pair in pairs} == {("The sky.", "Grass.")}
    assert {pair.conversation[-1]["content"] for pair in pairs} == {"Name a blue thing."}
    shown = load_demonstrations([source], strict=True).records
    assert {demonstration.response for demonstration in shown} == {"The sky."}


def test_scored_rows_shown_are_taken(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(SHOWN["scored"], encoding="utf-8")
    scored = load_scored([Source(format="scored", path=tmp_path / "rows.jsonl")], strict=True).records
    assert [(each.response, each.right, each.demonstrate) for each in scored] == [
        ("The sky.", True, True),
        ("Grass.", False, False),
    ]
    assert {each.conversation[-1]["content"] for each in scored} == {"Name a blue thing."}


def test_prompts_shown_are_taken(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(SHOWN["prompts"], encoding="utf-8")
    loaded = load_asked([Source(format="prompts", path=tmp_path / "rows.jsonl")])
    assert not loaded.malformed
    assert [asked.conversation[-1]["content"] for asked in loaded.records] == ["Name a blue thing."] * 2
