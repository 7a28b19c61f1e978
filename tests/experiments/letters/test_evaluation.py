"""Ways of selection, statistics, sampling and judging in batches, and the files of an evaluation."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.rollouts.judge import Judge
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase
from typing_extensions import override

from experiments.letters.evaluation import contest_winners, evaluate, majority_votes, write_results
from experiments.letters.model import RememberingJudge, sample_answers, save_model
from experiments.letters.preferences.wrong import ATTACKS
from selfjudge import Comparison, PrincipleVerdict, Reading, RoundRobin, Verdict

PROMPTS = ["Sort these letters: CAB", "Reverse ABCDE", "Reverse 123"]


class Alphabetical(Judge):
    """A judge that prefers the text that comes first in the alphabet."""

    def __init__(self) -> None:
        self.judged: list[Comparison] = []

    @override
    def verdicts(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        self.judged += comparisons
        return [
            Verdict.of([PrincipleVerdict(None, *([yes, no] if pair.first < pair.second else [no, yes]))])
            for pair in comparisons
            for yes, no in [(Reading(-0.1, -2.0), Reading(-2.0, -0.1))]
        ]


def test_a_consistent_judge_finds_the_best_of_each_prompt() -> None:
    groups = [["C", "A", "B", "A"], ["E", "D", "F", "G"]]
    judge = Alphabetical()
    assert contest_winners(judge, ["x", "y"], groups, seed=0) == ["A", "D"]
    assert contest_winners(judge, ["x", "y"], groups, seed=0, kind=RoundRobin) == ["A", "D"]
    assert all(pair.first != pair.second for pair in judge.judged)


def test_a_majority_wins_the_vote_and_equals_draw_lots() -> None:
    assert majority_votes([["B", "A", "B"]], seed=0) == ["B"]
    assert {majority_votes([["A", "B"]], seed)[0] for seed in range(20)} == {"A", "B"}


def test_answers_are_drawn_by_the_seed_and_a_judge_remembers(
    toy_model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.letters.model.CHUNK", 6)
    rollouts = HuggingFaceRollOuts(toy_model, tokenizer)
    one, again, other = (sample_answers(rollouts, PROMPTS, 3, 1.0, seed) for seed in (0, 0, 1))
    assert one == again != other
    assert one[2:] == sample_answers(rollouts, PROMPTS[2:], 3, 1.0, 1)  # the second chunk has the next seed
    judge, pair, opposite = RememberingJudge(rollouts), Comparison("x", "ABC", "C"), Comparison("x", "C", "ABC")
    verdicts = judge.verdicts([pair, opposite, pair])
    assert verdicts[0].probability_a == pytest.approx(1 - verdicts[1].probability_a)
    monkeypatch.setattr(rollouts, "read", lambda prompts, choice: [Reading(-0.1, -2.0)] * len(prompts))
    assert judge.verdicts([opposite, pair]) == [verdicts[1], verdicts[0]]


def test_an_evaluation_writes_its_report_and_plot(
    toy_model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.letters.evaluation.SIZES", (1, 2, 4))
    save_model(toy_model, tokenizer, tmp_path / "model", torch.float16)
    report = evaluate(tmp_path / "model", prompts=6, seed=0)
    paths = write_results(report, tmp_path / "results")
    assert [path.suffix for path in paths] == [".json", ".png"]
    written = json.loads(paths[0].read_text(encoding="utf-8"))
    curves = written["selection"]["exact_match"]
    assert set(curves["tournament"]) == {"1", "2", "4"}
    assert set(curves["round_robin"]) == {"4"}
    assert set(written["attacks"]) == set(ATTACKS)
    for size, oracle in curves["oracle"].items():
        assert oracle["mean"] >= max(curves["tournament"][size]["mean"], curves["majority"][size]["mean"])


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        evaluate(tmp_path / "nothing", prompts=1, seed=0)
