"""What is trained, how, and what is measured: stages that leave models, and a stage for each model that is measured."""

from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

from selfjudge_training.data.source import Source
from selfjudge_training.jsft import jsft_config as jsft
from selfjudge_training.jsft.jsft_stage import MODEL, run_jsft
from selfjudge_training.self_training import self_training_config as self_training
from selfjudge_training.self_training.self_training_stage import self_train

from experiments.paper.base import make_base
from experiments.paper.data import DEMONSTRATIONS, TRAIN, make_data
from experiments.paper.measure import Subject, measure
from experiments.paper.recipe import ARMS, JUDGE_ONLY, JUDGES, VARIANTS, Arm, Judge, PaperRecipe
from experiments.stages import Stage

MAX_TOKENS = 96
"""Longest sequence. One in 200 is longer, of a response that repeats a template, and would make its batch as long."""


def plan_stages(recipe: PaperRecipe, root: Path) -> list[Stage]:
    """All stages."""
    making = list(_making(recipe, root))
    measuring = [
        Stage(measured(one), (stage.name, "data"), partial(measure, recipe, one, root / "data"))
        for stage, models in making
        for one in models
    ]
    return [stage for stage, _ in making] + measuring


def subjects(recipe: PaperRecipe, root: Path) -> list[Subject]:
    """All models that are measured."""
    return [one for _, models in _making(recipe, root) for one in models]


def measured(subject: Subject) -> str:
    """The stage that measures a model."""
    return f"measured-{subject.name}"


def _making(recipe: PaperRecipe, root: Path) -> Iterator[tuple[Stage, list[Subject]]]:
    """The stages that make models, each with its models; what takes longest comes first."""
    plan, first = recipe.self_training, recipe.jsft.seeds[0]
    base = Subject("base", "base", root / "base" / MODEL, VARIANTS["jm"], judges=False)
    yield Stage("base", (), partial(make_base, recipe)), [base]
    yield Stage("data", ("base",), partial(make_data, recipe, root / "base")), []
    for seed, (variant, template) in product(recipe.jsft.seeds, VARIANTS.items()):
        name = f"{variant}-{seed}"
        path = root / name / MODEL
        answers, own_by = seed == first and variant != JUDGE_ONLY, path if name == f"jm-pr-{first}" else None
        work = partial(run_jsft, _variant_config(recipe, variant, seed, root))
        yield Stage(name, ("data",), work), [Subject(name, variant, path, template, answers=answers, own_by=own_by)]
    for seed, judge in product(plan.iteration_seeds, JUDGES):
        name, rate = f"iterated-{judge}-{seed}", plan.rates.iterated
        config = _self_training_config(recipe, "jm-pr", seed, root, rate, judge=judge, iterations=plan.iterations)
        models = []
        for number in range(1, plan.iterations + 1):
            path, kind = root / name / f"iteration-{number}" / MODEL, f"iterated-{judge}-{number}"
            swept = (judge, seed, number) == ("previous", plan.iteration_seeds[0], 1)
            own_by = path if judge == "previous" else config.model
            models.append(Subject(f"{name}-{number}", kind, path, VARIANTS["jm-pr"], swept=swept, own_by=own_by))
        yield Stage(name, (f"jm-pr-{first}",), partial(self_train, config)), models
    rates = {"offline": plan.rates.offline, "off-policy": plan.rates.off_policy, "on-policy": plan.rates.on_policy}
    for seed, arm in product(plan.seeds, ARMS):
        name, swept = f"{arm}-{seed}", (arm, seed) == ("on-policy", plan.seeds[0])
        work = partial(self_train, _self_training_config(recipe, "jm", seed, root, rates[arm], arm=arm))
        one = Subject(name, arm, root / name / MODEL, VARIANTS["jm"], judges=False, swept=swept)
        yield Stage(name, (f"jm-{first}",), work), [one]


def _variant_config(recipe: PaperRecipe, variant: str, seed: int, root: Path) -> jsft.JsftConfig:
    """JSFT from the base: variants differ in their judgment template, and in whether there are demonstrations."""
    plan = recipe.jsft
    return jsft.JsftConfig(
        seed=seed,
        start=jsft.Start(path=str(root / "base" / MODEL), architecture="llama"),
        data=jsft.Data(
            demonstrations=() if variant == JUDGE_ONLY else (_source(root, DEMONSTRATIONS),),
            pairs=(_source(root, TRAIN),),
            template=VARIANTS[variant],
            max_length=MAX_TOKENS,
            replay=plan.replay,
        ),
        optimisation=jsft.Optimisation(
            epochs=plan.steps,  # more than there are: the steps decide
            steps=plan.steps_of(variant),
            batch=plan.batch,
            micro_batch=plan.batch // 2,
            optimizer="muon",
            learning_rate=plan.rate * recipe.rates.others,
            matrix_learning_rate=plan.rate * recipe.rates.matrices,
            beta2=0.98,
            warm_up=0.0,
            weighting="examples",
        ),
        machine=jsft.Machine(trackers=()),
    )


def _self_training_config(
    recipe: PaperRecipe,
    start: str,
    seed: int,
    root: Path,
    rate: float,
    *,
    arm: Arm = "on-policy",
    iterations: int = 1,
    judge: Judge = "previous",
) -> self_training.SelfTrainingConfig:
    """Self-training from a variant: equally many steps an iteration, on pairs of equally many prompts."""
    plan = recipe.self_training
    return self_training.SelfTrainingConfig(
        model=root / f"{start}-{recipe.jsft.seeds[0]}" / MODEL,
        seed=seed,
        max_tokens=MAX_TOKENS,
        arm=arm,
        iterations=iterations,
        prompts=self_training.Prompts(sources=(_source(root, TRAIN, plan.prompts),)),
        lora=plan.lora,
        decoding=plan.decoding,
        judge=self_training.Judgments(template=VARIANTS[start], weights=judge),
        optimisation=self_training.Optimisation(epochs=plan.epochs, batch=plan.batch, learning_rate=rate),
        machine=self_training.Machine(micro_batch=plan.batch, trackers=()),
    )


def _source(root: Path, name: str, limit: int | None = None) -> Source:
    return Source(format="ultrafeedback", path=root / "data" / name, limit=limit)
