"""The tiny model: that it loads everywhere it should, and clears a bar well below its measured figures."""

import json
from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.rollouts.judge import Judge
from transformers import LlamaForCausalLM

from experiments.letters.evaluation import contest_winners
from experiments.letters.model import RememberingJudge, load_model, sample_answers
from experiments.letters.tasks import Split, draw_problems
from selfjudge import Comparison
from selfjudge.shipped import TINY_MODEL

MODEL = TINY_MODEL
PROBLEMS = list(islice(draw_problems(Split.HELD_OUT, 77), 60))


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    return load_model(MODEL)[0]


@pytest.fixture(scope="module")
def rollouts() -> HuggingFaceRollOuts:
    return HuggingFaceRollOuts(*load_model(MODEL))


@pytest.fixture(scope="module")
def samples(rollouts: HuggingFaceRollOuts) -> list[list[str]]:
    return sample_answers(rollouts, [problem.prompt for problem in PROBLEMS], 16, 1.0, 0)


@pytest.fixture(scope="module")
def judge(rollouts: HuggingFaceRollOuts) -> Judge:
    return RememberingJudge(rollouts)


def test_weights_are_small_float16_and_finite() -> None:
    path = MODEL / "model.safetensors"
    assert path.stat().st_size <= 8_000_000
    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118  # not a mapping
            tensor = file.get_tensor(name)
            assert tensor.dtype == torch.float16
            assert tensor.isfinite().all()


def test_its_record_says_how_it_was_made() -> None:
    record = json.loads((MODEL / "training.json").read_text(encoding="utf-8"))
    assert sum(stage["processor_seconds"] for stage in record.values()) <= 3600


def test_it_is_imperfect_and_its_tournament_is_better(judge: Judge, samples: list[list[str]]) -> None:
    prompts = [problem.prompt for problem in PROBLEMS]
    answers = [problem.answer for problem in PROBLEMS]
    alone = sum(group.count(answer) for group, answer in zip(samples, answers, strict=True)) / (16 * len(PROBLEMS))
    winners = contest_winners(judge, prompts, samples, seed=0)
    chosen = sum(winner == answer for winner, answer in zip(winners, answers, strict=True)) / len(PROBLEMS)
    assert 0.35 < alone < 0.75
    assert chosen > alone + 0.1


def test_it_judges_its_own_samples(judge: Judge, samples: list[list[str]]) -> None:
    pairs = [
        Comparison(problem.prompt, problem.answer, wrong)
        for problem, group in zip(PROBLEMS, samples, strict=True)
        for wrong in sorted(set(group) - {problem.answer})
    ]
    verdicts = judge.verdicts(pairs)
    assert sum(verdict.winner == "A" for verdict in verdicts) / len(verdicts) > 0.85
    assert sum(verdict.consistent for verdict in verdicts) / len(verdicts) > 0.8
    assert min(verdict.label_mass for verdict in verdicts) > 0.9


def test_a_prompt_as_long_as_the_context_does_not_break_it(
    model: LlamaForCausalLM, rollouts: HuggingFaceRollOuts
) -> None:
    ids = rollouts.chat.tokens.encode("Sort these letters: " + "KDAZ " * 600)[:1024]
    assert len(ids) == 1024
    with torch.inference_mode():
        assert model(input_ids=torch.tensor([ids])).logits.isfinite().all()


def test_the_card_shows_the_measured_curve() -> None:
    report = json.loads(Path("docs/results/model-evaluation.json").read_text(encoding="utf-8"))
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    for size, point in report["selection"]["exact_match"]["tournament"].items():
        assert f"| {size} | {point['mean']:.3f} ({point['low']:.3f} to {point['high']:.3f}) |" in card
