"""What a finished run measured: values by kind of model, and means of them with intervals."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student  # type: ignore[import-untyped]  # it ships no py.typed
from selfjudge_training.evaluation.statistics import Estimate
from selfjudge_training.jsft.jsft_stage import MODEL
from selfjudge_training.run.metrics import read_metrics

from experiments.letters.model import load_model
from experiments.letters.tasks import Problem
from experiments.paper.measure import FILE, Measured, questions, rating
from experiments.paper.plan import measured, subjects
from experiments.paper.recipe import ARMS, JUDGES, VARIANTS, Judge, PaperRecipe
from experiments.stages import TIMES

Values = NDArray[np.float64]
"""[runs, instructions]: runs are the seeds of one kind of model, instructions the same for all kinds."""

Figures = dict[str, Values]
"""By name: `accuracy` and `consistency` as a judge, `win_rate` and `exact` as a policy, and `own`, the accuracy of the
judge that it would learn from on pairs of its own answers, which are no other model's."""


class Finished(NamedTuple):
    """A finished run."""

    models: dict[str, Figures]
    """Base, variants and arms."""
    sweeps: dict[str, dict[int, Figures]]
    """Self-rejection of JM and JM-PR after self-training, by N: the first seed of each."""
    iterations: dict[Judge, dict[int, Figures]]
    """By judge and number; 0: before self-training."""
    skipped: dict[Judge, dict[int, float]]
    """The same way: the share of prompts without a pair in an iteration's last ten steps."""
    parameters: dict[str, int]
    """Of the model, and alive in the process of on-policy training, counted at its first step."""
    times: dict[str, dict[str, float]]
    """Of each stage, in seconds by the clock and of its processor."""
    seconds: float
    """From the first stage's beginning to the last one's end."""


def estimate(*terms: tuple[float, Values]) -> Estimate:
    """A weighted sum of means on the same instructions; in its interval it lies with other seeds and instructions, too.

    At 95%, by Student's t, as three seeds are few, with Welch's and Satterthwaite's degrees of freedom. Each term has
    seeds of its own; of a single one nothing can be said about others.
    """
    by_instruction = np.array(sum(weight * values.mean(0) for weight, values in terms))
    sources = [by_instruction, *(weight * values.mean(1) for weight, values in terms)]
    freedoms = np.array([max(len(source) - 1, 1) for source in sources])
    variances = np.array([source.var() for source in sources]) / freedoms
    mean, variance = float(by_instruction.mean()), variances.sum()
    reach = 0.0
    if variance > 0:
        freedom = variance**2 / (variances**2 / freedoms).sum()
        reach = float(student.ppf(0.975, freedom) * np.sqrt(variance))
    return Estimate(mean, mean - reach, mean + reach, len(by_instruction))


def win_rate(problem: Problem, answers: Sequence[str], baseline: Sequence[str]) -> float:
    """How often an answer beats one of the baseline's in mean rating, a tie counting half."""
    ours, theirs = ([rating(problem, text) for text in texts] for texts in (answers, baseline))
    return float(np.sign(np.subtract.outer(ours, theirs)).mean() + 1) / 2


def read_finished(recipe: PaperRecipe, root: Path) -> Finished:
    """Everything about a finished run."""
    runs: dict[str, list[Measured]] = defaultdict(list)
    for one in subjects(recipe, root):
        found = (root / measured(one) / FILE).read_text(encoding="utf-8")
        runs[one.kind].append(Measured.model_validate_json(found))
    problems, baseline = questions(recipe), runs["jm"][0].samples

    def figures(of_kind: Sequence[Measured]) -> Figures:
        judged = [one.overall for one in of_kind if one.overall]
        answered = [list(zip(problems, one.samples, baseline, strict=True)) for one in of_kind if one.samples]
        found = {
            "accuracy": [one.points for one in judged],
            "consistency": [one.consistent for one in judged],
            "win_rate": [[win_rate(*of_one) for of_one in answers] for answers in answered],
            "exact": [
                [texts.count(problem.answer) / len(texts) for problem, texts, _ in answers] for answers in answered
            ],
            "own": [[point for one in of_kind if one.own for point in one.own.points]],
        }
        arrays = {name: np.array(values, float) for name, values in found.items()}
        return {name: values for name, values in arrays.items() if values.size}

    plan, swept = recipe.self_training, {"JM": "on-policy", "JM-PR": "iterated-previous-1"}
    numbers = range(1, plan.iterations + 1)
    files = sorted(root.glob(f"*/{TIMES}"))
    times = {file.parent.name: json.loads(file.read_text(encoding="utf-8")) for file in files}
    ends = {file.parent.name: file.stat().st_mtime for file in files}
    return Finished(
        models={kind: figures(runs[kind]) for kind in ("base", *VARIANTS, *ARMS)},
        sweeps={
            name: {1: figures(runs[kind][:1])}
            | {size: figures([Measured(samples=picks)]) for size, picks in runs[kind][0].picks.items()}
            for name, kind in swept.items()
        },
        iterations={
            judge: {0: figures(runs["jm-pr"][:1])}
            | {number: figures(runs[f"iterated-{judge}-{number}"]) for number in numbers}
            for judge in JUDGES
        },
        skipped={judge: {number: _skipped(recipe, root, judge, number) for number in numbers} for judge in JUDGES},
        parameters={
            "model": load_model(root / "base" / MODEL)[0].num_parameters(),
            "in_process": int(read_metrics(root / f"on-policy-{plan.seeds[0]}")[0]["memory/parameters"]),
        },
        times=times,
        seconds=max(ends.values()) - min(end - times[name]["seconds"] for name, end in ends.items()),
    )


def _skipped(recipe: PaperRecipe, root: Path, judge: Judge, number: int) -> float:
    folders = [root / f"iterated-{judge}-{seed}" for seed in recipe.self_training.iteration_seeds]
    last = [line for folder in folders for line in read_metrics(folder / f"iteration-{number}")[-10:]]
    return 1 - fmean(line["pairs"] for line in last) / recipe.self_training.batch
