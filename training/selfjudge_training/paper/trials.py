"""The learning rate of each arm of table 4, chosen by trial: one that suits pairs of its own samples may spoil another.

Each arm is trained once at every rate that the recipe names, with a seed that no run of the table has, and keeps the
one whose answers to instructions of the training split are rated best. The questions of the tables play no part.
"""

import json
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from selfjudge_training.paper import figures
from selfjudge_training.paper.measure import answers, load_rollouts
from selfjudge_training.paper.models import iterate, train_arm
from selfjudge_training.paper.recipe import PaperRecipe
from selfjudge_training.seeds import derived_seed
from selfjudge_training.tasks.split import Split, draw_problems

FILE = "trials.json"
"""What the stage leaves in its folder, beside a run's folder for each rate."""


class Trial(NamedTuple):
    """One learning rate."""

    rate: float
    rating: float
    """Mean over the trial's questions, from 1 to 5."""


def try_rates(recipe: PaperRecipe, arm: str, model: Path, data: Path, folder: Path) -> None:
    """Train an arm at every rate, and write `FILE`."""
    seed = max(recipe.self_training.seeds) + 1
    problems = draw_problems(Split.TRAIN, derived_seed(recipe.seed, "trials"))
    asked = list(islice(problems, recipe.evaluation.trial_questions))
    found = []
    for rate in recipe.self_training.optimisation.rates:
        run = folder / f"rate-{rate:g}"
        train_arm(recipe, arm, rate, seed, model, data, run)
        given = answers(recipe, load_rollouts(run / "model"), asked, 1)
        rated = figures.mean_score(asked, given, figures.rating)
        found.append(Trial(rate, sum(rated) / len(rated)))
    (folder / FILE).write_text(json.dumps([trial._asdict() for trial in found]) + "\n", encoding="utf-8")


def read_trials(folder: Path) -> list[Trial]:
    """What a stage found."""
    return [Trial(**each) for each in json.loads((folder / FILE).read_text(encoding="utf-8"))]


def best(trials: list[Trial]) -> Trial:
    """The trial whose answers are rated highest."""
    return max(trials, key=lambda trial: trial.rating)


def train_at_best(
    recipe: PaperRecipe, trials: Path, arm: str, seed: int, model: Path, data: Path, folder: Path
) -> None:
    """One run of the table, at the best of the rates that ``trials`` holds."""
    train_arm(recipe, arm, best(read_trials(trials)).rate, seed, model, data, folder)


def iterate_at_best(recipe: PaperRecipe, trials: Path, seed: int, model: Path, data: Path, folder: Path) -> None:
    """Iterated self-training at the best of the rates that ``trials`` holds."""
    iterate(recipe, best(read_trials(trials)).rate, seed, model, data, folder)
