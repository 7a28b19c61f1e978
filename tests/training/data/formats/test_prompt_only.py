"""Prompts without responses: what they may look like, and who takes them."""

import json
from pathlib import Path

import pytest
from selfjudge_training.data.load import load_asked, load_demonstrations, load_overall_pairs
from selfjudge_training.data.source import DataError, Format, Source

ASKED = [{"role": "user", "content": "Hi"}]


def source(path: Path, *rows: object, format_: Format = "prompts") -> Source:
    (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Source(format=format_, path=path / "rows.jsonl")


def test_prompts_are_taken_from_rows_of_every_kind(tmp_path: Path) -> None:
    rows = [
        {"prompt": "Hi", "kind": "greeting"},
        {"prompt": ASKED},
        {"messages": ASKED},
        {"prompt": "Ho", "messages": None},
    ]
    found = load_asked([source(tmp_path, *rows)])
    assert [asked.conversation for asked in found.records] == [ASKED] * 3 + [[{"role": "user", "content": "Ho"}]]
    scored = load_asked([source(tmp_path, {"prompt": "Hi", "response": "Ho", "right": True}, format_="scored")])
    compared = load_asked([source(tmp_path, {"prompt": "Hi", "chosen": "Ho", "rejected": ""}, format_="preferences")])
    assert [each.conversation for each in (*scored.records, *compared.records)] == [ASKED] * 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "give either 'prompt' or 'messages'"),
        ({"prompt": "Hi", "messages": ASKED}, "give either 'prompt' or 'messages'"),
        ({"prompt": " "}, "the user's message before the response is empty"),
        ({"messages": [*ASKED, {"role": "assistant", "content": "Ho"}]}, "must end with a message of the user"),
    ],
)
def test_what_asks_nothing_is_malformed(tmp_path: Path, row: object, reason: str) -> None:
    loaded = load_asked([source(tmp_path, row)])
    assert not loaded.records
    assert reason in loaded.malformed[0]


def test_prompts_give_neither_pairs_nor_demonstrations(tmp_path: Path) -> None:
    prompts = [source(tmp_path, {"prompt": "Hi"})]
    for load in (load_overall_pairs, load_demonstrations):
        with pytest.raises(DataError, match="'prompts' compare no responses; they belong under the 'prompts' of self"):
            load(prompts)
