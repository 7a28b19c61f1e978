"""Which stages a recipe has, in the order of their urgency: what most others wait for comes first."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from selfjudge_training.paper.base import MODEL, make_base
from selfjudge_training.paper.data import make_data
from selfjudge_training.paper.jsft import train_variant
from selfjudge_training.paper.measure import Wanted, measure
from selfjudge_training.paper.models import ARMS, VARIANTS, iteration
from selfjudge_training.paper.recipe import PaperRecipe
from selfjudge_training.paper.stages import Stage
from selfjudge_training.paper.trials import iterate_at_best, train_at_best, try_rates

PRELOAD = ("selfjudge_training.paper.trials", "selfjudge_training.paper.measure", "selfjudge_training.paper.jsft")
"""Modules that bring in all libraries that stages need."""


class Subject(NamedTuple):
    """A model that is measured."""

    name: str
    stage: str
    """Which trains it."""
    path: Path
    template: str
    wanted: Wanted


def plan_stages(recipe: PaperRecipe, root: Path, workers: int) -> list[Stage]:
    """All stages."""
    base, data = root / "base" / MODEL, root / "data"
    first, plan = recipe.jsft.seeds[0], recipe.self_training
    training = [
        Stage("base", (), partial(make_base, recipe, workers), alone=True),
        Stage("data", ("base",), partial(make_data, recipe, workers, root / "base"), alone=True),
    ]
    for seed in recipe.jsft.seeds:
        for name in VARIANTS:
            work = partial(train_variant, recipe, name, seed, base, data)
            training.append(Stage(f"{name}-{seed}", ("data",), work))
    jm, jm_pr = f"jm-{first}", f"jm-pr-{first}"
    training += [
        Stage(trials(arm), (jm,), partial(try_rates, recipe, arm, root / jm / "model", data)) for arm in reversed(ARMS)
    ]
    for seed in plan.iteration_seeds:
        tried = trials("on-policy")
        work = partial(iterate_at_best, recipe, root / tried, seed, root / jm_pr / "model", data)
        training.append(Stage(f"iterated-{seed}", (jm_pr, tried), work))
    for seed in plan.seeds:
        for arm in ARMS:
            work = partial(train_at_best, recipe, root / trials(arm), arm, seed, root / jm / "model", data)
            training.append(Stage(f"{arm}-{seed}", (jm, trials(arm)), work))
    measuring = [
        Stage(
            measured(subject.name),
            (subject.stage, "data"),
            partial(measure, recipe, subject.path, subject.template, subject.wanted, data),
        )
        for subject in subjects(recipe, root)
    ]
    return [*training, *measuring]


def trials(arm: str) -> str:
    """The stage that tries an arm at several learning rates."""
    return f"trials-{arm}"


def measured(name: str) -> str:
    """The stage that measures a model."""
    return f"measured-{name}"


def subjects(recipe: PaperRecipe, root: Path) -> Iterator[Subject]:
    """All models that are measured; several of an iterated run."""
    plan, samples = recipe.self_training, recipe.evaluation.samples
    every: tuple[int, ...] = recipe.evaluation.sizes
    ends: tuple[int, ...] = (1, every[-1])
    plain = VARIANTS["jm"].template
    yield Subject("base", "base", root / "base" / MODEL, plain, Wanted(judge=False, samples=samples))
    for seed in recipe.jsft.seeds:
        for name, variant in VARIANTS.items():
            sizes = ends if f"{name}-{seed}" == f"jm-pr-{recipe.jsft.seeds[0]}" else ()
            wanted = Wanted(judge=True, samples=samples if variant.demonstrations else 0, sizes=sizes)
            yield Subject(
                f"{name}-{seed}", f"{name}-{seed}", root / f"{name}-{seed}" / "model", variant.template, wanted
            )
    for seed in plan.seeds:
        for arm in ARMS:
            sizes = every if arm == "on-policy" and seed == plan.seeds[0] else ()
            wanted = Wanted(judge=False, samples=samples, sizes=sizes)
            yield Subject(f"{arm}-{seed}", f"{arm}-{seed}", root / f"{arm}-{seed}" / "model", plain, wanted)
    for seed in plan.iteration_seeds:
        for number in range(1, plan.iterations + 1):
            stage = f"iterated-{seed}"
            sizes = every if number == 1 and seed == plan.iteration_seeds[0] else ends
            wanted = Wanted(judge=True, samples=samples, sizes=sizes)
            path = iteration(root / stage, number)
            yield Subject(f"{stage}-{number}", stage, path, VARIANTS["jm-pr"].template, wanted)
