"""Bracket logs become preference pairs, and what doesn't is counted."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selfjudge_training.cli import main
from selfjudge_training.data.brackets import load_brackets
from selfjudge_training.data.load import load_demonstrations, load_pairs
from selfjudge_training.data.source import DataError, Source

from selfjudge import load_templates

ASKED = [{"role": "user", "content": "Say a number."}]
TOOL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}


def match(first: int, second: int, probability_a: float, *, consistent: bool = True, **more: Any) -> dict[str, Any]:  # noqa: ANN401  any JSON
    lead = probability_a - 0.5
    return {
        "place": 1,
        "round": 1,
        "first": first,
        "second": second,
        "outcome": "A" if lead > 0 else "B" if lead < 0 else "tie",
        "probability_a": probability_a,
        "winner": second if lead < 0 else first,
        "reason": "judged",
        "verdict": {"probability_a": probability_a, "consistent": consistent, "label_mass": 0.9},
        **more,
    }


def candidate(text: str, **more: object) -> dict[str, Any]:
    return {"text": text, "finish_reason": "stop", "tool_calls": 0, **more}


def bracket(*matches: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401  any JSON
    return {
        "format": 1,
        "id": "chatcmpl-1",
        "model": "chat@1234",
        "conversation": ASKED,
        "candidates": [candidate(text) for text in ("zero", "one", "two", "three")],
        "matches": list(matches),
        **more,
    }


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: dict[str, Any] | str, end: str = "\n") -> Path:
        path = tmp_path / "log.jsonl"
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + end)
        return path

    return write


def pairs(path: Path, **wanted: Any) -> list[tuple[str, str, float]]:  # noqa: ANN401  as load_brackets takes
    loaded = load_brackets([path], **wanted)
    sides = [tuple(pair[side][0]["content"] for side in ("chosen", "rejected")) for pair in loaded.records]
    return [(*texts, round(pair["margin"], 9)) for texts, pair in zip(sides, loaded.records, strict=True)]


def left_out(path: Path, **wanted: Any) -> dict[str, int]:  # noqa: ANN401  likewise
    return dict(load_brackets([path], **wanted).left_out)


def test_winners_are_chosen_over_losers(log: Callable[..., Path]) -> None:
    path = log(bracket(match(0, 1, 0.9), match(2, 3, 0.2), match(0, 3, 0.6)))
    assert pairs(path) == [("zero", "one", 0.4), ("three", "two", 0.3), ("zero", "three", 0.1)]


def test_the_margin_and_both_orders_can_be_asked_for(log: Callable[..., Path]) -> None:
    path = log(bracket(match(0, 1, 0.9), match(2, 3, 0.55), match(0, 3, 0.7, consistent=False)))
    assert pairs(path, least_margin=0.1) == [("zero", "one", 0.4), ("zero", "three", 0.2)]
    assert pairs(path, consistent_only=True) == [("zero", "one", 0.4), ("two", "three", 0.05)]
    assert left_out(path, least_margin=0.1, consistent_only=True) == {
        "the margin is below 0.1": 1,
        "the two orders have different winners": 1,
    }


def test_a_winner_by_principles_against_the_mean_has_a_negative_margin(log: Callable[..., Path]) -> None:
    assert left_out(log(bracket(match(0, 1, 0.45, outcome="A")))) == {"the margin is below 0": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (match(0, 1, 0.5), "the match was a tie"),
        (match(0, 1, 0.5, reason="identical", verdict=None), "the match was not judged (identical)"),
        ({**match(0, 1, 0.9, outcome=None, reason="walkover", verdict=None), "second": None}, "(walkover)"),
        (match(0, 1, 0.9, outcome=None, reason="pending", verdict=None), "(pending)"),
    ],
)
def test_matches_that_say_nothing_are_counted(log: Callable[..., Path], change: dict[str, Any], reason: str) -> None:
    [(told, count)] = left_out(log(bracket(change))).items()
    assert told.endswith(reason)
    assert count == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tool_calls": 1}, "a response calls tools"),
        ({"text": ""}, "the chosen response is empty"),
        ({"finish_reason": "length"}, "the chosen response was cut off by max_tokens"),
    ],
)
def test_responses_that_would_teach_wrong_are_counted(
    log: Callable[..., Path], change: dict[str, Any], reason: str
) -> None:
    path = log(bracket(match(0, 1, 0.9), candidates=[candidate("zero") | change, candidate("one")]))
    assert left_out(path) == {reason: 1}


def test_a_rejected_response_may_be_cut_off_or_come_from_outside(log: Callable[..., Path]) -> None:
    sides = [candidate("zero", finish_reason=None), candidate("one", finish_reason="length")]
    assert pairs(log(bracket(match(0, 1, 0.9), candidates=sides))) == [("zero", "one", 0.4)]


@pytest.mark.parametrize(
    ("conversation", "reason"),
    [
        ([*ASKED, TOOL, {"role": "tool", "content": "7"}], "the conversation has turns of tools"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "the conversation is not all text"),
        ([*ASKED, {"role": "assistant", "content": "A"}], "the conversation does not end with a message of the user"),
        ([], "the conversation does not end with a message of the user"),
    ],
)
def test_conversations_that_rows_cannot_hold_are_counted(
    log: Callable[..., Path], conversation: list[Any], reason: str
) -> None:
    assert left_out(log(bracket(match(0, 1, 0.9), match(2, 3, 0.9), conversation=conversation))) == {reason: 2}


def test_equal_pairs_come_once_and_contradictions_not_at_all(log: Callable[..., Path]) -> None:
    path = log(bracket(match(0, 1, 0.9)), bracket(match(1, 0, 0.2), match(0, 2, 0.8)), bracket(match(1, 0, 0.6)))
    assert pairs(path) == [("zero", "one", 0.4), ("zero", "two", 0.3)]
    assert left_out(path) == {"the same pair again": 1, "it contradicts an earlier pair": 1}


def test_the_same_texts_in_another_conversation_are_another_pair(log: Callable[..., Path]) -> None:
    other = [{"role": "user", "content": "Say another."}]
    assert len(pairs(log(bracket(match(0, 1, 0.9)), bracket(match(1, 0, 0.9), conversation=other)))) == 2


@pytest.mark.parametrize(("model", "count"), [("chat", 2), ("chat@1234", 1), ("base", 1), ("nobody", 0)])
def test_models_can_be_chosen(log: Callable[..., Path], model: str, count: int) -> None:
    path = log(
        bracket(match(0, 1, 0.9)),
        bracket(match(0, 2, 0.9), model="chat@5678"),
        bracket(match(0, 3, 0.9), model="base"),
    )
    assert len(pairs(path, models=(model,))) == count
    assert left_out(path, models=(model,)) == {"the bracket is another model's": 3 - count}


def test_malformed_lines_are_shown_and_strict_stops(log: Callable[..., Path]) -> None:
    bad = bracket(match(0, 7, 0.9))
    path = log("{", bracket(match(0, 1, 0.9)), bad, {**bad, "format": 2}, "", "[" * 100_000)
    loaded = load_brackets([path])
    assert [problem.removeprefix(f"{path}:") for problem in loaded.malformed] == [
        "1: Invalid JSON: EOF while parsing an object at line 1 column 1",
        "3: matches: 0 and 7 are not both among the candidates",
        "4: format: Input should be 1",
        "6: Invalid JSON: recursion limit exceeded at line 1 column 202",
    ]
    assert len(loaded.records) == 1
    with pytest.raises(DataError, match=r"log.jsonl:1: Invalid JSON"):
        load_brackets([path], strict=True)


def test_a_torn_last_line_is_counted_and_never_stops(log: Callable[..., Path]) -> None:
    whole = bracket(match(0, 1, 0.9))
    path = log(whole, json.dumps(whole)[:-7], end="")
    loaded = load_brackets([path], strict=True)
    assert (len(loaded.records), loaded.malformed) == (1, [])
    assert dict(loaded.left_out) == {"the last line of a file was torn when a server was killed": 1}


def test_folders_and_packed_files_are_read_in_order(tmp_path: Path) -> None:
    for number, name in enumerate(("b.jsonl", "a.jsonl.gz", "c.txt")):
        line = json.dumps(bracket(match(0, 1 + number, 0.9))).encode() + b"\n"
        (tmp_path / name).write_bytes(gzip.compress(line) if name.endswith(".gz") else line)
    assert [chosen[1] for chosen in pairs(tmp_path)] == ["two", "one"]
    assert [chosen[1] for chosen in pairs(tmp_path / "c.txt")] == ["three"], "a file that is named is a log"


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_logs_that_are_not_there_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=name):
        load_brackets([tmp_path / name])


def test_a_packed_file_that_ends_early_is_an_error(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(bracket(match(0, 1, 0.9))).encode())
    (tmp_path / "log.jsonl.gz").write_bytes(packed[:-9])
    with pytest.raises(DataError, match=r"log.jsonl.gz: cannot be read"):
        load_brackets([tmp_path / "log.jsonl.gz"])


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.jsonl.gz"])
def test_what_is_written_is_what_the_loader_takes(
    tmp_path: Path, log: Callable[..., Path], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    developer = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
    ]
    path = log(bracket(match(0, 1, 0.9), match(2, 3, 0.5)), bracket(match(2, 3, 0.9), conversation=developer))
    output = tmp_path / "out" / name
    assert main(["data", "from-brackets", str(path), "--output", str(output)]) == 0
    shown, account = capsys.readouterr()
    assert "wrote 2 rows" in shown
    assert "2 pairs from 2 rows, 0 of them malformed\n  left out 1 times: the match was a tie" in account
    source = Source(format="preferences", path=output)
    loaded = load_pairs([source], load_templates()["ultrafeedback"], strict=True).records
    assert [(pair.chosen, pair.rejected) for pair in loaded] == [("zero", "one"), ("two", "three")]
    assert [turn["role"] for turn in loaded[1].conversation] == ["system", "user"]
    assert [one.response for one in load_demonstrations([source], strict=True).records] == ["zero", "two"]
    assert [path.name for path in output.parent.iterdir()] == [name]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output", "pairs.txt"], "must end in .jsonl or .jsonl.gz"),
        (["--output", "pairs.jsonl", "--model", "nobody"], "the logs give no pair"),
    ],
)
def test_errors_say_what_is_wrong(
    log: Callable[..., Path], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["data", "from-brackets", str(log(bracket(match(0, 1, 0.9)))), *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("margin", ["-0.1", "0.5", "much"])
def test_a_margin_no_pair_can_have_is_refused(margin: str) -> None:
    with pytest.raises(SystemExit):
        main(["data", "from-brackets", "log", "--output", "pairs.jsonl", "--least-margin", margin])
