"""All figures of the report: one object, computed from the folders of a finished run.

Leaves out words and drawings (`report`, `plots`), and what the paper printed (`printed`).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from safetensors import safe_open

from selfjudge_training.evaluation.statistics import Estimate
from selfjudge_training.paper import figures
from selfjudge_training.paper.claims import Claim, Part
from selfjudge_training.paper.figures import Values, combination, difference, estimate, stacked
from selfjudge_training.paper.measure import Judged, questions, read_measured
from selfjudge_training.paper.models import ARMS, VARIANTS
from selfjudge_training.paper.plan import measured, plan_stages, subjects, trials
from selfjudge_training.paper.recipe import PaperRecipe
from selfjudge_training.paper.stages import Times, busy_seconds, times_of
from selfjudge_training.paper.trials import Trial, read_trials
from selfjudge_training.run.metrics import read_metrics


class JudgeFigures(NamedTuple):
    """A model as a judge."""

    overall: Estimate
    """Accuracy on pairs that differ in mean rating."""
    principles: Estimate
    """Accuracy on pairs that differ under one principle."""
    consistency: Estimate
    """Position consistency, on the former."""


class PolicyFigures(NamedTuple):
    """A model as a policy, or the picks of its tournaments."""

    win_rate: Estimate
    """Against the answers of JM before self-training, by mean rating, a tie counting half."""
    exact: Estimate
    """Share of answers that are exactly right."""
    length: Estimate
    """In characters."""
    repetition: Estimate
    """Of 4-grams."""
    by_run: list[float]
    """Win rate of each seed."""


class Iteration(NamedTuple):
    """One point of figure 5."""

    number: int
    """0: before self-training."""
    alone: PolicyFigures
    best: PolicyFigures
    """With self-rejection at the largest N."""
    judge: JudgeFigures


class Memory(NamedTuple):
    """Parameters of the model, and those alive in the process of on-policy training, counted at its first step."""

    model: int
    in_process: int

    @property
    def share(self) -> float:
        """In multiples of p, the parameters of the model."""
        return self.in_process / self.model


class Results(NamedTuple):
    """Everything."""

    judges: dict[str, JudgeFigures]
    policies: dict[str, PolicyFigures]
    """Variants, the base, and arms."""
    sweeps: dict[str, dict[int, PolicyFigures]]
    """Self-rejection of JM and JM-PR after self-training, by N."""
    iterations: list[Iteration]
    trials: dict[str, list[Trial]]
    """Learning rates that each arm was tried at."""
    memory: Memory
    claims: list[Claim]
    times: dict[str, Times]
    """Of each stage."""
    seconds: float
    """Of the run, less pauses between attempts."""


def compute(recipe: PaperRecipe, root: Path) -> Results:
    """All figures of a finished run."""
    return _Run(recipe, root).results()


class _Run:
    def __init__(self, recipe: PaperRecipe, root: Path) -> None:
        self._recipe, self._root = recipe, root
        self._problems = questions(recipe)
        self._measured = {one.name: read_measured(root / measured(one.name)) for one in subjects(recipe, root)}
        self._baseline = self._measured[f"jm-{recipe.jsft.seeds[0]}"].samples
        plan = recipe.self_training
        self._variants = {name: [f"{name}-{seed}" for seed in recipe.jsft.seeds] for name in VARIANTS}
        self._arms = {arm: [f"{arm}-{seed}" for seed in plan.seeds] for arm in ARMS}
        self._swept = {"JM": f"on-policy-{plan.seeds[0]}", "JM-PR": f"iterated-{plan.iteration_seeds[0]}-1"}
        before = [f"jm-pr-{recipe.jsft.seeds[0]}"]
        self._steps = [before] + [
            [f"iterated-{seed}-{number}" for seed in plan.iteration_seeds] for number in range(1, plan.iterations + 1)
        ]

    def results(self) -> Results:
        sizes = self._recipe.evaluation.sizes
        stages = [stage.name for stage in plan_stages(self._recipe, self._root, 1)]
        times = {name: times_of(self._root, name) for name in stages}
        policies = {name: runs for name, runs in self._variants.items() if VARIANTS[name].demonstrations}
        return Results(
            judges={name: self._judge(runs) for name, runs in self._variants.items()},
            policies={name: self._policy(runs) for name, runs in ({"base": ["base"]} | policies | self._arms).items()},
            sweeps={name: {size: self._policy([run], size) for size in sizes} for name, run in self._swept.items()},
            iterations=[
                Iteration(number, self._policy(runs), self._policy(runs, sizes[-1]), self._judge(runs))
                for number, runs in enumerate(self._steps)
            ],
            trials={arm: read_trials(self._root / trials(arm)) for arm in ARMS},
            memory=self._memory(),
            claims=self._claims(),
            times=times,
            seconds=busy_seconds(times.values()),
        )

    def _claims(self) -> list[Claim]:
        accuracy = {name: self._accuracy(runs) for name, runs in self._variants.items()}
        arms = {arm: self._wins(runs) for arm, runs in self._arms.items()}
        steps = [self._wins(runs) for runs in self._steps]
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
            Claim("self-rejection rises with N", [self._rises(name) for name in self._swept]),
            Claim(
                "principles and rationales raise judge accuracy",
                [
                    Part("accuracy, JM-P less JM", difference(accuracy["jm-p"], accuracy["jm"])),
                    Part("accuracy, JM-PR less JM-P", difference(accuracy["jm-pr"], accuracy["jm-p"])),
                ],
            ),
            Claim(
                "iterating helps with diminishing returns",
                [
                    Part(f"win rate, iteration {len(steps) - 1} less iteration 1", difference(steps[-1], steps[1])),
                    Part(
                        "gain of the first iteration less gain of the last",
                        combination([(1.0, steps[1]), (-1.0, steps[0]), (-1.0, steps[-1]), (1.0, steps[-2])]),
                    ),
                ],
            ),
        ]

    def _rises(self, name: str) -> Part:
        most, run = self._recipe.evaluation.sizes[-1], [self._swept[name]]
        return Part(f"win rate, {name}, N = {most} less N = 1", difference(self._wins(run, most), self._wins(run)))

    def _judge(self, runs: Sequence[str]) -> JudgeFigures:
        of_principles = [figures.judge_accuracy(_known(self._measured[run].principles)) for run in runs]
        consistency = [figures.judge_consistency(_known(self._measured[run].overall)) for run in runs]
        return JudgeFigures(
            estimate(self._accuracy(runs)), estimate(stacked(of_principles)), estimate(stacked(consistency))
        )

    def _accuracy(self, runs: Sequence[str]) -> Values:
        return stacked([figures.judge_accuracy(_known(self._measured[run].overall)) for run in runs])

    def _policy(self, runs: Sequence[str], size: int = 1) -> PolicyFigures:
        wins = self._wins(runs, size)

        def mean(score: figures.Score) -> Estimate:
            return estimate(
                stacked([figures.mean_score(self._problems, self._answers(run, size), score) for run in runs])
            )

        return PolicyFigures(
            estimate(wins), mean(figures.exact), mean(figures.length), mean(figures.repeated), wins.mean(1).tolist()
        )

    def _wins(self, runs: Sequence[str], size: int = 1) -> Values:
        answers = [self._answers(run, size) for run in runs]
        return stacked([figures.win_rate(self._problems, texts, self._baseline) for texts in answers])

    def _answers(self, run: str, size: int) -> list[list[str]]:
        found = self._measured[run]
        return found.samples if size == 1 else found.picks[size]

    def _memory(self) -> Memory:
        weights = self._root / self._variants["jm"][0] / "model" / "model.safetensors"
        with safe_open(weights, "pt") as file:
            model = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
        first = read_metrics(self._root / self._arms["on-policy"][0])[0]
        return Memory(model, int(first["memory/parameters"]))


def _known(judged: Judged | None) -> Judged:
    if judged is None:
        raise ValueError("a judge's figures were asked for, but only its answers were measured")
    return judged
