"""Question files in, AlpacaEval's format out and in again."""

import json
from pathlib import Path

import pytest
from selfjudge_training.data.source import DataError
from selfjudge_training.evaluation.policy.questions import (
    Outputs,
    Question,
    load_outputs,
    load_questions,
    write_outputs,
)


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def listed(path: Path, *rows: object) -> Path:
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_alpaca_eval(tmp_path: Path) -> None:
    row = {"dataset": "koala", "instruction": "Why?", "output": "Because.", "generator": "text_davinci_003"}
    assert load_questions(listed(tmp_path / "alpaca_eval.json", row)) == [Question(("Why?",), "koala")]


def test_a_line_separator_within_a_question_is_no_new_line(tmp_path: Path) -> None:
    path = tmp_path / "question.jsonl"
    path.write_text('{"instruction": "one\u2028two"}\n', encoding="utf-8")
    assert load_questions(path) == [Question(("one\u2028two",))]


def test_mt_bench(tmp_path: Path) -> None:
    row = {"question_id": 81, "category": "math", "turns": ["1 + 1?", "Twice that?"], "reference": ["2", "4"]}
    assert load_questions(lines(tmp_path / "question.jsonl", row)) == [Question(("1 + 1?", "Twice that?"), "math")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "Why?"}, r"questions\.jsonl:2: should have a text 'instruction'"),
        ({"question_id": 1, "category": "math", "turns": []}, r"questions\.jsonl:2: should have"),
        ({"instruction": ""}, r"questions\.jsonl:2: should have"),
        ({"instruction": "Why?"}, r"questions\.jsonl:2: the same instruction as .*questions\.jsonl:1"),
    ],
)
def test_a_wrong_row_is_named(row: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        load_questions(lines(tmp_path / "questions.jsonl", {"instruction": "Why?"}, row))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("q.json", "{}", "holds no JSON array"),
        ("q.json", "[]", "holds no row"),
        ("q.jsonl", '{"instruction": "Why?"}\nnonsense', r"q\.jsonl:2: should have .*: Invalid JSON"),
    ],
)
def test_a_wrong_file_is_named(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_questions(tmp_path / name)


QUESTIONS = [Question(("Why?",), "koala"), Question(("How?", "And then?"), "vicuna")]


def test_outputs_are_written_as_alpaca_eval_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "outputs.json"
    outputs = Outputs("tiny", ["Because.", "So ä."])
    write_outputs(path, QUESTIONS, outputs)
    assert json.loads(path.read_text(encoding="utf-8")) == [
        {"dataset": "koala", "instruction": "Why?", "output": "Because.", "generator": "tiny"},
        {"dataset": "vicuna", "instruction": "How?", "output": "So ä.", "generator": "tiny"},
    ]
    assert load_outputs(path, QUESTIONS) == outputs
    assert load_outputs(path, QUESTIONS[1:]) == Outputs("tiny", ["So ä."])
    assert load_questions(path) == [Question(("Why?",), "koala"), Question(("How?",), "vicuna")]


def test_a_baseline_must_answer_every_question(tmp_path: Path) -> None:
    write_outputs(tmp_path / "outputs.json", QUESTIONS[:1], Outputs("tiny", ["Because."]))
    with pytest.raises(DataError, match=r"no output for 1 of 2 questions, such as 'How\?'"):
        load_outputs(tmp_path / "outputs.json", QUESTIONS)


def test_a_baseline_is_one_model(tmp_path: Path) -> None:
    rows = [{"instruction": "Why?", "output": "x", "generator": name} for name in ("one", "two")]
    with pytest.raises(DataError, match=r"outputs of \['one', 'two'\]"):
        load_outputs(listed(tmp_path / "outputs.json", *rows), QUESTIONS[:1])
