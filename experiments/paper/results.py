"""All figures of the report: one object, computed from the folders of a finished run."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from safetensors import safe_open
from selfjudge_training.evaluation.statistics import Estimate
from selfjudge_training.run.metrics import read_metrics

from experiments.paper import figures
from experiments.paper.figures import Claim, Part, Values, difference, estimate
from experiments.paper.measure import Judged, questions, read_measured
from experiments.paper.models import ARMS, JUDGES, VARIANTS
from experiments.paper.plan import measured, plan_stages, subjects
from experiments.paper.recipe import PaperRecipe
from experiments.paper.stages import Times, times_of


class JudgeFigures(NamedTuple):
    """A model as a judge."""

    overall: Estimate
    """Accuracy on pairs that differ in mean rating."""
    consistency: Estimate
    """Position consistency, on the former."""
    by_run: list[float]
    """Accuracy of each seed."""


class PolicyFigures(NamedTuple):
    """A model as a policy, or the picks of its tournaments."""

    win_rate: Estimate
    """Against the answers of JM before self-training, by mean rating, a tie counting half."""
    exact: Estimate
    """Share of answers that are exactly right."""
    by_run: list[float]
    """Win rate of each seed."""


class Iteration(NamedTuple):
    """One point of figure 5."""

    number: int
    """0: before self-training."""
    policy: PolicyFigures
    judge: JudgeFigures
    own: float
    """Share of pairs of its own answers that are judged right by the judge of the next iteration."""
    skipped: float
    """Share of prompts without a pair in the iteration's last ten steps."""


class Memory(NamedTuple):
    """Parameters of the model, and those alive in the process of on-policy training, counted at its first step."""

    model: int
    in_process: int


class Results(NamedTuple):
    """Everything."""

    judges: dict[str, JudgeFigures]
    policies: dict[str, PolicyFigures]
    """Variants, the base, and arms."""
    sweeps: dict[str, dict[int, PolicyFigures]]
    """Self-rejection of JM and JM-PR after self-training, by N."""
    iterations: dict[str, list[Iteration]]
    """By whose judgments they are learned from."""
    memory: Memory
    claims: list[Claim]
    times: dict[str, Times]
    """Of each stage."""


class Finished:
    """A finished run."""

    def __init__(self, recipe: PaperRecipe, root: Path) -> None:
        self._recipe, self._root = recipe, root
        self._problems = questions(recipe)
        self._measured = {one.name: read_measured(root / measured(one.name)) for one in subjects(recipe, root)}
        first, plan = recipe.jsft.seeds[0], recipe.self_training
        self._baseline = self._measured[f"jm-{first}"].samples
        self._variants = {name: [f"{name}-{seed}" for seed in recipe.jsft.seeds] for name in VARIANTS}
        self._policies = {"base": ["base"]} | {
            name: [f"{name}-{first}"] for name, variant in VARIANTS.items() if variant.demonstrations
        }
        self._policies |= {arm: [f"{arm}-{seed}" for seed in plan.seeds] for arm in ARMS}
        self._swept = {"JM": f"on-policy-{plan.seeds[0]}", "JM-PR": f"iterated-previous-{plan.iteration_seeds[0]}-1"}
        self._iterated = {
            judge: [[f"jm-pr-{first}"]]
            + [
                [f"iterated-{judge}-{seed}-{number}" for seed in plan.iteration_seeds]
                for number in range(1, plan.iterations + 1)
            ]
            for judge in JUDGES
        }

    def results(self) -> Results:
        """Everything about it."""
        sizes = self._recipe.evaluation.sizes
        return Results(
            judges={name: self._judge(runs) for name, runs in self._variants.items()},
            policies={name: self._policy(runs) for name, runs in self._policies.items()},
            sweeps={name: {size: self._policy([run], size) for size in sizes} for name, run in self._swept.items()},
            iterations={
                judge: [self._iteration(number, runs) for number, runs in enumerate(levels)]
                for judge, levels in self._iterated.items()
            },
            memory=self._memory(),
            claims=self._claims(),
            times={one.name: times_of(self._root, one.name) for one in plan_stages(self._recipe, self._root)},
        )

    def _claims(self) -> list[Claim]:
        accuracy = {name: self._accuracy(runs) for name, runs in self._variants.items()}
        arms = {arm: self._wins(self._policies[arm]) for arm in ARMS}
        return [
            Claim(
                "JSFT judges better than judge-only training",
                [Part("accuracy, JSFT less judge-only", difference(accuracy["jm"], accuracy["judge-only"]))],
            ),
            Claim(
                "on-policy beats off-policy beats offline",
                [
                    Part("win rate, on-policy less off-policy", difference(arms["on-policy"], arms["off-policy"])),
                    Part("win rate, off-policy less offline", difference(arms["off-policy"], arms["offline"])),
                ],
            ),
            Claim("self-rejection rises with N", [self._rises(name, run) for name, run in self._swept.items()]),
            Claim(
                "principles and rationales raise judge accuracy",
                [
                    Part("accuracy, JM-P less JM", difference(accuracy["jm-p"], accuracy["jm"])),
                    Part("accuracy, JM-PR less JM-P", difference(accuracy["jm-pr"], accuracy["jm-p"])),
                ],
            ),
            Claim("iterating helps, each time less", self._gains(self._iterated["previous"])),
        ]

    def _rises(self, name: str, run: str) -> Part:
        most = self._recipe.evaluation.sizes[-1]
        effect = difference(self._wins([run], most), self._wins([run]))
        return Part(f"win rate, {name}, N = {most} less N = 1", effect)

    def _gains(self, levels: Sequence[Sequence[str]]) -> list[Part]:
        """Each iteration gains, and less than the one before it: a loss fails the first, whatever the second says."""
        wins = [self._wins(runs) for runs in levels]
        numbers = range(1, len(wins))
        gains = [Part(f"gain of iteration {number}", difference(wins[number], wins[number - 1])) for number in numbers]
        falls = [
            Part(
                f"gain of iteration {number - 1} less that of {number}",
                estimate((2.0, wins[number - 1]), (-1.0, wins[number - 2]), (-1.0, wins[number])),
            )
            for number in numbers[1:]
        ]
        return gains + falls

    def _iteration(self, number: int, runs: Sequence[str]) -> Iteration:
        skipped = [
            1 - line["pairs"] / self._recipe.self_training.batch
            for run in runs
            if number
            for line in read_metrics(self._root / run.rpartition("-")[0] / f"iteration-{number}")[-10:]
        ]
        own = [point for run in runs for point in _known(self._measured[run].own).points]
        return Iteration(
            number,
            self._policy(runs),
            self._judge(runs),
            fmean(own or [0.5]),
            fmean(skipped or [0.0]),
        )

    def _judge(self, runs: Sequence[str]) -> JudgeFigures:
        accuracy = self._accuracy(runs)
        consistency = np.array([figures.judge_consistency(_known(self._measured[run].overall)) for run in runs])
        return JudgeFigures(estimate((1.0, accuracy)), estimate((1.0, consistency)), accuracy.mean(1).tolist())

    def _accuracy(self, runs: Sequence[str]) -> Values:
        return np.array([figures.judge_accuracy(_known(self._measured[run].overall)) for run in runs])

    def _policy(self, runs: Sequence[str], size: int = 1) -> PolicyFigures:
        answers, wins = [self._answers(run, size) for run in runs], self._wins(runs, size)
        right = np.array([figures.mean_score(self._problems, texts, figures.exact) for texts in answers])
        return PolicyFigures(estimate((1.0, wins)), estimate((1.0, right)), wins.mean(1).tolist())

    def _wins(self, runs: Sequence[str], size: int = 1) -> Values:
        answers = [self._answers(run, size) for run in runs]
        return np.array([figures.win_rate(self._problems, texts, self._baseline) for texts in answers])

    def _answers(self, run: str, size: int) -> list[list[str]]:
        found = self._measured[run]
        return found.samples if size == 1 else found.picks[size]

    def _memory(self) -> Memory:
        with safe_open(self._root / self._variants["jm"][0] / "model" / "model.safetensors", "pt") as file:
            model = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
        first = read_metrics(self._root / self._policies["on-policy"][0])[0]
        return Memory(model, int(first["memory/parameters"]))


def _known(judged: Judged | None) -> Judged:
    if judged is None:
        raise ValueError("a judge's figures were asked for, but only its answers were measured")
    return judged
