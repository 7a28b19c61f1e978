"""Loading whole sources: accounts of malformed rows, strictness, held-out parts, and what the template asks for."""

import json
from pathlib import Path

import pytest
from selfjudge_training.data.load import load_demonstrations, load_pairs
from selfjudge_training.data.source import DataError, Format, Part, Source

from selfjudge import load_templates

TEMPLATES = load_templates()
OVERALL, PRINCIPLED = TEMPLATES["ultrafeedback"], TEMPLATES["ultrafeedback-principle"]


def write(path: Path, rows: list[object]) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def plain(prompt: str, chosen: object = "yes", rejected: object = "no") -> dict[str, object]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def test_malformed_rows_are_counted_and_shown_with_line_and_reason(tmp_path: Path) -> None:
    rows = [plain("a"), "{", plain("b", None), 7, plain("c", "same", "same"), plain("d")]
    loaded = load_pairs([Source(format="preferences", path=write(tmp_path / "p.jsonl", rows))], OVERALL)
    assert [pair.conversation[0]["content"] for pair in loaded.records] == ["a", "d"]
    assert loaded.account("pairs") == [
        "2 pairs from 6 rows, 4 of them malformed",
        f"  {tmp_path}/p.jsonl:2: Invalid JSON: EOF while parsing an object at line 1 column 1",
        f"  {tmp_path}/p.jsonl:3: chosen: should be text or a list of messages, not null",
        f"  {tmp_path}/p.jsonl:4: Input should be an object",
        f"  {tmp_path}/p.jsonl:5: chosen and rejected are the same response",
    ]


def test_a_long_list_of_malformed_rows_is_shortened_but_counted(tmp_path: Path) -> None:
    loaded = load_pairs([Source(format="preferences", path=write(tmp_path / "p.jsonl", ["{"] * 50))], OVERALL)
    assert loaded.account("pairs")[-1] == "  and 30 more"


def test_strict_stops_at_the_first_malformed_row(tmp_path: Path) -> None:
    source = Source(format="preferences", path=write(tmp_path / "p.jsonl", [plain("a"), plain("b", "x", "x")]))
    with pytest.raises(DataError, match=r"p\.jsonl:2: chosen and rejected are the same response"):
        load_pairs([source], OVERALL, strict=True)


def test_several_sources_follow_one_another(tmp_path: Path) -> None:
    base = {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello", "rejected": "\n\nHuman: Hi\n\nAssistant: What?"}
    one = Source(format="hh", path=write(tmp_path / "base.jsonl", [base]))
    two = Source(format="preferences", path=write(tmp_path / "mine.jsonl", [plain("a"), "{"]))
    pairs = load_pairs([one, two], TEMPLATES["hh-helpful"])
    assert [pair.chosen for pair in pairs.records] == ["Hello", "yes"]
    assert (pairs.rows, len(pairs.malformed)) == (3, 1)
    demonstrations = load_demonstrations([one, two, one])
    assert [shown.response for shown in demonstrations.records] == ["Hello", "yes", "Hello"]


def test_the_parts_of_a_source_share_its_prompts_out(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", [plain(str(number)) for number in range(300)])
    parts = {
        part: {pair.conversation[0]["content"] for pair in load_pairs([source], OVERALL).records}
        for part in Part
        for source in [Source(format="preferences", path=path, part=part)]
    }
    assert parts[Part.TRAIN] | parts[Part.HELD_OUT] == parts[Part.ALL]
    assert not parts[Part.TRAIN] & parts[Part.HELD_OUT]
    assert 15 <= len(parts[Part.HELD_OUT]) <= 45
    demonstrations = load_demonstrations([Source(format="preferences", path=path, part=Part.HELD_OUT)]).records
    assert {shown.conversation[0]["content"] for shown in demonstrations} == parts[Part.HELD_OUT]


def test_a_template_with_principles_takes_ultrafeedback_only(tmp_path: Path) -> None:
    source = Source(format="preferences", path=write(tmp_path / "p.jsonl", [plain("a")]))
    with pytest.raises(DataError, match="'ultrafeedback-principle' needs pairs under principles"):
        load_pairs([source], PRINCIPLED)


def test_what_a_sound_row_does_not_give_is_counted(tmp_path: Path) -> None:
    notes = {"honesty": {"Rating": "3", "Rationale": "Modest."}, "helpfulness": {"Rating": "2", "Rationale": "Meh."}}
    row = {"instruction": "Do.", "completions": [{"response": text, "annotations": notes} for text in ("one", "other")]}
    source = Source(format="ultrafeedback", path=write(tmp_path / "uf.jsonl", [row]))
    loaded = load_pairs([source], TEMPLATES["ultrafeedback-principle-rationale"])
    assert loaded.account("pairs") == [
        "0 pairs from 1 rows, 0 of them malformed",
        *(
            f"  left out 1 times: no response is inferior under {principle!r}"
            for principle in PRINCIPLED.principles or ()
        ),
    ]


def test_null_in_an_optional_field_is_as_good_as_none(tmp_path: Path) -> None:
    said = {"Rating": "5", "Rationale": None}
    completions = [
        {"response": "one", "annotations": {"honesty": said}, "custom_system_prompt": None},
        {"response": "two", "annotations": {"honesty": {"Rating": None}, "truthfulness": {"Rating": 1}}},
        {"response": "three", "annotations": None},
    ]
    talk = {answer: f"\n\nHuman: a\n\nAssistant: {answer}" for answer in ("one", "two")}
    rows: dict[Format, dict[str, object]] = {
        "preferences": {**plain("a", "one", "two"), "category": None, "score": None},
        "hh": {"chosen": talk["one"], "rejected": talk["two"], "category": None},
        "ultrafeedback": {"instruction": "a", "source": None, "completions": completions},
    }
    for name, row in rows.items():
        [pair] = load_pairs([Source(format=name, path=write(tmp_path / f"{name}.jsonl", [row]))], OVERALL).records
        assert (pair.chosen, pair.rejected, pair.category) == ("one", "two", "")


def test_an_empty_response_is_never_what_is_learned(tmp_path: Path) -> None:
    notes = [{"honesty": {"Rating": rating}} for rating in (5, 1)]
    row = {
        "instruction": "a",
        "completions": [{"response": " ", "annotations": notes[0]}, {"response": "b", "annotations": notes[1]}],
    }
    source = Source(format="ultrafeedback", path=write(tmp_path / "rows.jsonl", [row]))
    for loaded in (load_pairs([source], OVERALL), load_pairs([source], PRINCIPLED), load_demonstrations([source])):
        assert loaded.malformed == [f"{source.path}:1: the best completion is empty"]
