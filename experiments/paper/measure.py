"""What is measured of one model, kept raw: points of each comparison, texts of each answer.

Figures are made of these afterwards (`figures`), as differences between models need both models' values on the same
instructions.
"""

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from pydantic import BaseModel
from selfjudge_training.data.load import load_overall_pairs
from selfjudge_training.data.records import Messages, PreferencePair
from selfjudge_training.evaluation.judges.model_judge import ModelJudge
from selfjudge_training.evaluation.policy.contests import winners
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.seeds import derived_seed

from experiments.letters.model import load_model
from experiments.letters.preferences.ratings import rate
from experiments.letters.tasks import Problem
from experiments.letters.tasks.split import held_out_problems
from experiments.paper.data import TEST, source
from experiments.paper.recipe import PaperRecipe
from selfjudge import Comparison, load_templates

FILE = "measured.json"
"""What the stage leaves in its folder."""


class Subject(NamedTuple):
    """A model that is measured, and what is wanted of it."""

    name: str
    stage: str
    """Which trains it."""
    path: Path
    template: str
    judge: bool
    samples: int
    """Answers per question; 0: the model is no policy."""
    sizes: tuple[int, ...] = ()
    """The values of N above 1 for self-rejection, the model its own judge."""
    own_by: Path | None = None
    """The model that judges pairs of its answers, as in training."""


class Judged(BaseModel):
    """A judge on pairs; all lists have one entry for each pair."""

    points: list[float]
    """1 where the chosen response wins, half for a tie."""
    consistent: list[bool]
    """Whether both orders have the same winner."""
    prompts: list[str]


class Measured(BaseModel):
    """One model."""

    overall: Judged | None = None
    """On pairs that differ in mean rating, judged on the whole."""
    own: Judged | None = None
    """On pairs of the model's own answers that differ in mean rating, by the judge that it would learn from."""
    samples: list[list[str]] = []
    """For each question its answers."""
    picks: dict[int, list[list[str]]] = {}
    """By N above 1: for each question, the winner of its tournament."""


def measure(recipe: PaperRecipe, subject: Subject, data: Path, folder: Path) -> None:
    """Measure a model, and write `FILE`."""
    rollouts, asked, found = _load(subject.path), questions(recipe), Measured()
    judge = _judge(rollouts, subject.template)
    if subject.judge:
        found.overall = _judged(judge, load_overall_pairs([source(data, TEST)]).records)
    if subject.samples:
        found.samples = _answers(recipe, rollouts, asked, max(subject.samples, *subject.sizes, 0))
    if subject.own_by is not None:
        found.own = _judged(_judge(_load(subject.own_by), subject.template), _own_pairs(asked, found.samples))
    for size in subject.sizes:
        groups = [texts[:size] for texts in found.samples]
        best = winners(judge, [_conversation(problem) for problem in asked], groups, recipe.seed)
        found.picks[size] = [[texts[index]] for texts, index in zip(groups, best, strict=True)]
    (folder / FILE).write_text(found.model_dump_json(), encoding="utf-8")


def read_measured(folder: Path) -> Measured:
    """What a stage measured."""
    return Measured.model_validate_json((folder / FILE).read_text(encoding="utf-8"))


def questions(recipe: PaperRecipe) -> list[Problem]:
    """The held-out instructions that policies answer."""
    return held_out_problems(recipe.evaluation.questions, derived_seed(recipe.seed, "questions"))


@cache
def rating(problem: Problem, text: str) -> float:
    """From 1 to 5, the mean over all principles, as pairs on the whole are labelled (A.1)."""
    return fmean(note.rating for note in rate(problem, text).values())


def _conversation(problem: Problem) -> Messages:
    return [{"role": "user", "content": problem.prompt}]


def _load(model: Path) -> HuggingFaceRollOuts:
    return HuggingFaceRollOuts(*load_model(model))


def _judge(rollouts: HuggingFaceRollOuts, template: str) -> ModelJudge:
    return ModelJudge(rollouts, load_templates()[template])


def _answers(
    recipe: PaperRecipe, rollouts: HuggingFaceRollOuts, asked: Sequence[Problem], samples: int
) -> list[list[str]]:
    """So many answers to each instruction; every model draws with the same seed."""
    drawn = rollouts.sample(
        [_conversation(problem) for problem in asked],
        samples=samples,
        sampling=recipe.self_training.decoding.sampling,
        seed=derived_seed(recipe.seed, "answers"),
    )
    return [[answer.text for answer in group] for group in drawn]


def _own_pairs(asked: Sequence[Problem], samples: Sequence[Sequence[str]]) -> list[PreferencePair]:
    """The first two answers to each instruction, the one rated higher as the chosen one."""
    ranked = [
        (problem, sorted(texts[:2], key=partial(rating, problem)))
        for problem, texts in zip(asked, samples, strict=True)
    ]
    return [
        PreferencePair(_conversation(problem), better, worse)
        for problem, (worse, better) in ranked
        if rating(problem, better) > rating(problem, worse)
    ]


def _judged(panel: ModelJudge, pairs: Sequence[PreferencePair]) -> Judged:
    asked = [Comparison(pair.conversation, pair.chosen, pair.rejected) for pair in pairs]
    judgments = panel.verdicts(asked, None)
    return Judged(
        points=[judgment.points for judgment in judgments],
        consistent=[judgment.consistent for judgment in judgments],
        prompts=[pair.conversation[-1]["content"] for pair in pairs],
    )
