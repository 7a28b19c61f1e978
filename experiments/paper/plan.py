"""Which stages a recipe has, in the order of their urgency: what most others wait for comes first."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from experiments.paper.base import MODEL, make_base
from experiments.paper.data import make_data
from experiments.paper.measure import Wanted, measure
from experiments.paper.models import ARMS, JUDGES, VARIANTS, iterate, iteration, train_arm, train_variant
from experiments.paper.recipe import PaperRecipe
from experiments.paper.stages import Stage


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
    base, data, plan = root / "base" / MODEL, root / "data", recipe.self_training
    stages = [
        Stage("base", (), partial(make_base, recipe, workers), alone=True),
        Stage("data", ("base",), partial(make_data, recipe, workers, root / "base"), alone=True),
    ]
    stages += [
        Stage(f"{name}-{seed}", ("data",), partial(train_variant, recipe, name, seed, base, data))
        for seed in recipe.jsft.seeds
        for name in VARIANTS
    ]
    jm, jm_pr = (f"{name}-{recipe.jsft.seeds[0]}" for name in ("jm", "jm-pr"))
    for seed in plan.iteration_seeds:
        for judge in JUDGES:
            work = partial(iterate, recipe, judge, seed, root / jm_pr / "model", data)
            stages.append(Stage(f"iterated-{judge}-{seed}", (jm_pr,), work))
    for seed in plan.seeds:
        for arm in ARMS:
            work = partial(train_arm, recipe, arm, seed, root / jm / "model", data)
            stages.append(Stage(f"{arm}-{seed}", (jm,), work))
    for one in subjects(recipe, root):
        work = partial(measure, recipe, one.path, one.template, one.wanted, data)
        stages.append(Stage(measured(one.name), (one.stage, "data"), work))
    return stages


def measured(name: str) -> str:
    """The stage that measures a model."""
    return f"measured-{name}"


def subjects(recipe: PaperRecipe, root: Path) -> Iterator[Subject]:
    """All models that are measured; several of an iterated run."""
    plan, samples, every = recipe.self_training, recipe.evaluation.samples, recipe.evaluation.sizes
    plain, alone = VARIANTS["jm"].template, every[:1]
    yield Subject("base", "base", root / "base" / MODEL, plain, Wanted(judge=False, samples=samples, sizes=alone))
    for seed in recipe.jsft.seeds:
        for name, variant in VARIANTS.items():
            stage, first = f"{name}-{seed}", seed == recipe.jsft.seeds[0]
            path, start = root / stage / "model", first and name == "jm-pr"
            answers = samples if first and variant.demonstrations else 0
            wanted = Wanted(judge=True, samples=answers, sizes=alone, own_by=path if start else None)
            yield Subject(stage, stage, path, variant.template, wanted)
    for seed in plan.seeds:
        for arm in ARMS:
            sizes = every if arm == "on-policy" and seed == plan.seeds[0] else alone
            stage, wanted = f"{arm}-{seed}", Wanted(judge=False, samples=samples, sizes=sizes)
            yield Subject(stage, stage, root / stage / "model", plain, wanted)
    for seed in plan.iteration_seeds:
        for judge in JUDGES:
            for number in range(1, plan.iterations + 1):
                stage = f"iterated-{judge}-{seed}"
                sizes = every if (judge, number, seed) == ("previous", 1, plan.iteration_seeds[0]) else alone
                path = iteration(root / stage, number)
                own_by = path if judge == "previous" else root / f"jm-pr-{recipe.jsft.seeds[0]}" / "model"
                wanted = Wanted(judge=True, samples=samples, sizes=sizes, own_by=own_by)
                yield Subject(f"{stage}-{number}", stage, path, VARIANTS["jm-pr"].template, wanted)
