"""Scored rows: what they may look like, and what is wrong with others."""

import json
from pathlib import Path

import pytest
from selfjudge_training.data.load import load_demonstrations, load_pairs, load_scored
from selfjudge_training.data.records import ScoredResponse
from selfjudge_training.data.source import DataError, Source

from selfjudge import load_templates

ASKED = [{"role": "user", "content": "Hi"}]


def source(path: Path, *rows: object) -> Source:
    (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Source(format="scored", path=path / "rows.jsonl")


@pytest.mark.parametrize("prompt", [{"prompt": "Hi"}, {"prompt": ASKED}, {"messages": ASKED}])
def test_a_prompt_is_text_or_messages(tmp_path: Path, prompt: dict[str, object]) -> None:
    row = {**prompt, "response": "Ho", "right": True, "kind": "greeting"}
    assert load_scored([source(tmp_path, row)], strict=True).records == [ScoredResponse(ASKED, "Ho", right=True)]


def test_optional_fields(tmp_path: Path) -> None:
    row = {"prompt": "Hi", "response": "", "right": False}
    said = {**row, "response": "Ho", "demonstrate": True, "rationale": ": too short"}
    null = {**row, "demonstrate": None, "rationale": None}
    assert load_scored([source(tmp_path, row, said, null)], strict=True).records == [
        ScoredResponse(ASKED, "", right=False),
        ScoredResponse(ASKED, "Ho", right=False, demonstrate=True, rationale=": too short"),
        ScoredResponse(ASKED, "", right=False),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"response": "Ho", "right": True}, "give either 'prompt' or 'messages', not empty"),
        ({"prompt": "Hi", "messages": ASKED, "response": "Ho", "right": True}, "give either 'prompt' or 'messages'"),
        ({"prompt": "Hi", "right": True}, "response: Field required"),
        ({"prompt": "Hi", "response": "Ho", "right": "yes"}, "right: Input should be a valid boolean"),
        ({"prompt": "Hi", "response": "Ho", "right": 1}, "right: Input should be a valid boolean"),
        ({"prompt": " ", "response": "Ho", "right": True}, "the user's message before the response is empty"),
        (
            {"messages": [{"role": "assistant", "content": "?"}], "response": "Ho", "right": True},
            "the conversation before the response must end",
        ),
        ({"prompt": "Hi", "response": " ", "right": True, "demonstrate": True}, "the response is empty, but"),
    ],
)
def test_malformed_rows_are_counted_or_stop(tmp_path: Path, row: dict[str, object], reason: str) -> None:
    rows = source(tmp_path, row, {"prompt": "Hi", "response": "Ho", "right": True})
    loaded = load_scored([rows])
    assert (len(loaded.records), loaded.rows) == (1, 2)
    assert f"rows.jsonl:1: {reason}" in loaded.malformed[0]
    with pytest.raises(DataError, match=r"rows\.jsonl:1: "):
        load_scored([rows], strict=True)


def test_scores_and_comparisons_are_not_taken_for_each_other(tmp_path: Path) -> None:
    rows = source(tmp_path, {"prompt": "Hi", "response": "Ho", "right": True})
    with pytest.raises(DataError, match="format 'scored' compare no responses; in JSFT they belong under 'scores'"):
        load_pairs([rows], load_templates()["ultrafeedback"])
    with pytest.raises(DataError, match="format 'scored' compare no responses"):
        load_demonstrations([rows])
    with pytest.raises(DataError, match="scores are rows of format 'scored', not 'preferences'"):
        load_scored([rows.model_copy(update={"format": "preferences"})])
