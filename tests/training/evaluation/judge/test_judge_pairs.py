"""Where pairs come from."""

import json
from pathlib import Path

import pytest
from selfjudge_training.data.source import DataError
from selfjudge_training.evaluation.judge.judge_stage import llmbar_pairs, sampled_pairs
from selfjudge_training.evaluation.policy.questions import Question
from selfjudge_training.rollouts.base import PromptError, Sampling

from tests.training.evaluation.fakes import Counting


def write(path: Path, rows: object) -> Path:
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_llmbar(tmp_path: Path) -> None:
    row = {"input": "Say hi.", "output_1": "Bye.", "output_2": "Hi.", "label": 2}
    write(tmp_path / "natural.json", [row])
    write(tmp_path / "adversarial-manual.json", [{**row, "label": 1}])
    adversarial, natural = llmbar_pairs(tmp_path)
    assert (natural.chosen, natural.rejected, natural.category) == ("Hi.", "Bye.", "natural")
    assert (adversarial.chosen, adversarial.category) == ("Bye.", "adversarial-manual")
    assert natural.conversation == [{"role": "user", "content": "Say hi."}]


def test_a_wrong_row_of_llmbar_is_named(tmp_path: Path) -> None:
    write(tmp_path / "natural.json", [{"input": "x", "output_1": "a", "output_2": "b", "label": 3}])
    with pytest.raises(DataError, match=r"natural\.json:1: .*label 1 or 2"):
        llmbar_pairs(tmp_path)


def test_a_folder_without_llmbar_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no"):
        llmbar_pairs(tmp_path)


QUESTIONS = [Question((prompt,), prompt.upper(), answer) for prompt, answer in (("a", "a 1"), ("b", "b"))]
SAMPLING = Sampling(1.0, 1.0, 8)


def test_the_right_answer_stands_against_each_different_wrong_sample() -> None:
    pairs = sampled_pairs(Counting(), QUESTIONS, samples=3, sampling=SAMPLING, seed=0)
    assert [(pair.category, pair.chosen, pair.rejected) for pair in pairs] == [
        ("A", "a 1", "a 0"),
        ("A", "a 1", "a 2"),
        *(("B", "b", f"b {number}") for number in range(3)),
    ]


def test_without_right_answers_or_wrong_samples_there_is_no_pair() -> None:
    with pytest.raises(DataError, match="every row should have an 'answer'"):
        sampled_pairs(Counting(), [*QUESTIONS, Question(("c",))], samples=3, sampling=SAMPLING, seed=0)
    with pytest.raises(ValueError, match="1 samples to each of 1 questions are all right"):
        sampled_pairs(Counting(), [Question(("a",), answer="a 0")], samples=1, sampling=SAMPLING, seed=0)


def test_questions_that_are_too_long_for_the_policy_are_an_error() -> None:
    with pytest.raises(PromptError, match="2 of 2 questions and 8 new tokens have no room"):
        sampled_pairs(Counting(context=5), QUESTIONS, samples=3, sampling=SAMPLING, seed=0)
