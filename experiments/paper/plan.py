"""Which stages a recipe has, in the order of their urgency: what most others wait for comes first."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from experiments.paper.base import MODEL, make_base
from experiments.paper.data import make_data
from experiments.paper.measure import Subject, measure
from experiments.paper.models import ARMS, JUDGES, VARIANTS, iterate, iteration, train_arm, train_variant
from experiments.paper.recipe import PaperRecipe
from experiments.paper.stages import Stage


def plan_stages(recipe: PaperRecipe, root: Path) -> list[Stage]:
    """All stages."""
    base, data, plan = root / "base" / MODEL, root / "data", recipe.self_training
    stages = [
        Stage("base", (), partial(make_base, recipe), alone=True),
        Stage("data", ("base",), partial(make_data, recipe, root / "base"), alone=True),
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
        stages.append(Stage(measured(one.name), (one.stage, "data"), partial(measure, recipe, one, data)))
    return stages


def measured(name: str) -> str:
    """The stage that measures a model."""
    return f"measured-{name}"


def subjects(recipe: PaperRecipe, root: Path) -> Iterator[Subject]:
    """All models that are measured; several of an iterated run."""
    plan, first, samples = recipe.self_training, recipe.jsft.seeds[0], recipe.evaluation.samples
    jm, jm_pr, sizes = VARIANTS["jm"].template, VARIANTS["jm-pr"].template, recipe.evaluation.sizes[1:]
    start = root / f"jm-pr-{first}" / "model"
    yield Subject("base", "base", root / "base" / MODEL, jm, judge=False, samples=samples)
    for seed in recipe.jsft.seeds:
        for name, variant in VARIANTS.items():
            stage, path = f"{name}-{seed}", root / f"{name}-{seed}" / "model"
            answers = samples if seed == first and variant.demonstrations else 0
            own_by = path if path == start else None
            yield Subject(stage, stage, path, variant.template, judge=True, samples=answers, own_by=own_by)
    for seed in plan.seeds:
        for arm in ARMS:
            stage, swept = f"{arm}-{seed}", sizes if (arm, seed) == ("on-policy", plan.seeds[0]) else ()
            yield Subject(stage, stage, root / stage / "model", jm, judge=False, samples=samples, sizes=swept)
    for seed in plan.iteration_seeds:
        for judge in JUDGES:
            stage = f"iterated-{judge}-{seed}"
            for number in range(1, plan.iterations + 1):
                swept = sizes if (judge, seed, number) == ("previous", plan.iteration_seeds[0], 1) else ()
                path = iteration(root / stage, number)
                own_by = path if judge == "previous" else start
                yield Subject(f"{stage}-{number}", stage, path, jm_pr, True, samples, swept, own_by)
