"""What is measured of one model, kept raw: points of each comparison, texts of each answer.

Figures are made of these afterwards (`figures`), as differences between models need both models' values on the same
instructions.
"""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from pydantic import BaseModel
from selfjudge_training.data.load import load_overall_pairs
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.data.source import Source
from selfjudge_training.evaluation.judges import Judge, model_judge
from selfjudge_training.evaluation.policy.contests import winners
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.seeds import derived_seed

from experiments.letters.model import asked, load_model
from experiments.letters.preferences.ratings import rate
from experiments.letters.tasks import Problem, held_out_problems
from experiments.paper.data import TEST
from experiments.paper.recipe import PaperRecipe
from selfjudge import Comparison, load_templates

FILE = "measured.json"
"""What the stage leaves in its folder."""


class Subject(NamedTuple):
    """A model that is measured, and what is wanted of it."""

    name: str
    kind: str
    """Shared by the runs that differ in their seed alone."""
    path: Path
    template: str
    judges: bool = True
    answers: bool = True
    swept: bool = False
    """Whether it also picks among N of its answers, for each N."""
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
    """On pairs that differ in mean rating, one an instruction, judged on the whole."""
    own: Judged | None = None
    """On pairs of the model's own answers that differ in mean rating, by the judge that it would learn from."""
    samples: list[list[str]] = []
    """For each question its answers."""
    picks: dict[int, list[list[str]]] = {}
    """By N above 1: for each question, the winner of its tournament."""


def measure(recipe: PaperRecipe, subject: Subject, data: Path, folder: Path) -> None:
    """Measure a model, and write `FILE`."""
    plan, problems, rollouts = recipe.evaluation, questions(recipe), HuggingFaceRollOuts(*load_model(subject.path))
    conversations = [asked(problem.prompt) for problem in problems]
    template, sizes = load_templates()[subject.template], plan.sizes[1:] if subject.swept else ()
    judge, found = model_judge(rollouts, template), Measured()
    if subject.judges:
        test = Source(format="ultrafeedback", path=data / TEST)
        found.overall = _judged(judge, load_overall_pairs([test]).records)
    if subject.answers:
        drawn = rollouts.sample(
            conversations,
            samples=max(plan.samples, *sizes, 0),
            sampling=recipe.self_training.decoding.sampling,
            seed=derived_seed(recipe.seed, "answers"),  # the same for every model
        )
        found.samples = [[answer.text for answer in answers] for answers in drawn]
    if subject.own_by is not None:
        own_judge = model_judge(HuggingFaceRollOuts(*load_model(subject.own_by)), template)
        found.own = _judged(own_judge, list(_own_pairs(problems, found.samples)))
    for size in sizes:
        groups = [texts[:size] for texts in found.samples]
        best = winners(judge, conversations, groups, recipe.seed)
        found.picks[size] = [[texts[index]] for texts, index in zip(groups, best, strict=True)]
    (folder / FILE).write_text(found.model_dump_json(), encoding="utf-8")


def questions(recipe: PaperRecipe) -> list[Problem]:
    """The held-out instructions that policies answer."""
    return held_out_problems(recipe.evaluation.questions, derived_seed(recipe.seed, "questions"))


@cache
def rating(problem: Problem, text: str) -> float:
    """From 1 to 5, the mean over all principles, as pairs on the whole are labelled (A.1)."""
    return fmean(note.rating for note in rate(problem, text).values())


def _own_pairs(problems: Sequence[Problem], samples: Sequence[Sequence[str]]) -> Iterator[PreferencePair]:
    """The first two answers to each instruction, the one rated higher as the chosen one."""
    for problem, texts in zip(problems, samples, strict=True):
        worse, better = sorted(texts[:2], key=partial(rating, problem))
        if rating(problem, better) > rating(problem, worse):
            yield PreferencePair(asked(problem.prompt), better, worse)


def _judged(judge: Judge, pairs: Sequence[PreferencePair]) -> Judged:
    judgments = judge([Comparison(pair.conversation, pair.chosen, pair.rejected) for pair in pairs])
    return Judged(
        points=[judgment.points for judgment in judgments],
        consistent=[judgment.consistent for judgment in judgments],
        prompts=[pair.conversation[-1]["content"] for pair in pairs],
    )
