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

from experiments.letters.evaluation.files import write_results
from experiments.letters.evaluation.selection import contest_winners, different_pairs, majority_votes
from experiments.letters.evaluation.truth import evaluate
from experiments.letters.model.pool import ModelPool, RememberingJudge, sample_answers
from experiments.letters.model.weights import load_model, save_model
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


def test_pairs_are_of_different_texts() -> None:
    assert different_pairs([["A", "A", "B"], ["C"]]) == [(0, "A", "B")]


def test_a_pool_gives_what_one_process_does(
    toy_model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    save_model(toy_model, tokenizer, tmp_path)
    alone = HuggingFaceRollOuts(*load_model(tmp_path))
    comparisons = [Comparison(PROMPTS[0], "ABC", "C"), Comparison(PROMPTS[1], "EDCBA", "EDC, or something longer")]
    with ModelPool(2) as pool:
        pooled = pool.rollouts(tmp_path)
        answers = [sample_answers(each, PROMPTS, 2, 0.0, 0, system=True) for each in (alone, pooled)]
        verdicts = RememberingJudge(pooled).verdicts([*comparisons, comparisons[0]])
        sampled = [sample_answers(pooled, PROMPTS, 3, 1.0, seed) for seed in (0, 0, 1)]
    assert answers[0] == answers[1]
    assert sampled[0] == sampled[1] != sampled[2]
    assert verdicts[0] == verdicts[2]
    for mine, other in zip(verdicts, RememberingJudge(alone).verdicts(comparisons), strict=False):
        assert mine.probability_a == pytest.approx(other.probability_a, abs=1e-5)


def test_an_evaluation_writes_its_report_and_plot(
    toy_model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    save_model(toy_model, tokenizer, tmp_path / "model", torch.float16)
    report = evaluate(tmp_path / "model", prompts=6, seed=0, workers=2)
    paths = write_results(report, tmp_path / "results")
    assert [path.suffix for path in paths] == [".json", ".png"]
    written = json.loads(paths[0].read_text(encoding="utf-8"))
    curves = written["selection"]["exact_match"]
    assert set(curves["tournament"]) == {"1", "2", "4", "8", "16", "32"}
    for size, oracle in curves["oracle"].items():
        assert oracle["mean"] >= max(curves["tournament"][size]["mean"], curves["majority"][size]["mean"])


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        evaluate(tmp_path / "nothing", prompts=1, seed=0, workers=1)
