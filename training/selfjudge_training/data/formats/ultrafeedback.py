"""UltraFeedback: several completions a row, each rated with a rationale under each principle (A.1, table 8).

Overall rank is the mean rating, ties going to the longer response; under a principle, its rating. The chosen response
is the best, the rejected one drawn from those below it: in rank overall, in rating under a principle, so equals under
a principle are no pair. D_SFT has one demonstration a row, with the system message its completion was made with;
judgments are under the default one (A.5), so pairs carry none. A rating "N/A" is no rating.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, Field, FiniteFloat

from selfjudge_training.data.formats.comparative import is_comparative
from selfjudge_training.data.formats.texts import Category
from selfjudge_training.data.loaded import MalformedRowError
from selfjudge_training.data.records import Demonstration, PreferencePair, Rationale

NOTHING_SAID = ("N/A", "None", "")
"""What stands in the data set where there is no rating or no rationale."""


def _none_if_unrated(value: object) -> object:
    return None if value in NOTHING_SAID else value


class Annotation(BaseModel):
    """What was said of a completion under one principle."""

    rating: Annotated[FiniteFloat | None, BeforeValidator(_none_if_unrated)] = Field(alias="Rating")
    rationale: str | None = Field(None, alias="Rationale")
    rationale_for_rating: str | None = Field(None, alias="Rationale For Rating")
    """Where `Type` sorts errors, `Rationale` explains the type, and this the rating."""

    @property
    def explanation(self) -> str:
        """Why it has this rating; empty where nobody says."""
        said = (self.rationale_for_rating or self.rationale or "").strip()
        return "" if said in NOTHING_SAID else said


class Completion(BaseModel):
    """One response."""

    response: str
    annotations: Annotated[dict[str, Annotation | None], BeforeValidator(lambda value: value or {})]
    custom_system_prompt: str | None = None

    def rating(self, principle: str) -> float | None:
        """None where it has none under this principle."""
        annotation = self.annotations.get(principle)
        return annotation.rating if annotation else None

    def explanation(self, principle: str) -> str:
        """Why it is rated so under a principle; empty where nobody says."""
        annotation = self.annotations.get(principle)
        return annotation.explanation if annotation else ""


class UltraFeedbackRow(BaseModel):
    """A row of the data set; further keys are ignored."""

    instruction: str = Field(min_length=1)
    completions: list[Completion] = Field(min_length=1)
    source: Category = ""
    """Which collection the instruction comes from; serves as the category."""


class Wanted(NamedTuple):
    """Which comparisons are asked for."""

    principles: tuple[str, ...] | None
    """Pairs under each of these, in the words of the judgment template; None: one pair, on the whole."""
    rationales: bool
    seed: int


class _Scored(NamedTuple):
    score: float
    completion: Completion


def demonstration(row: UltraFeedbackRow) -> Demonstration:
    """The best completion of a row, under the system message it was made with. Raises MalformedRowError."""
    ranked = _ranked(row.completions)
    if not ranked:
        raise MalformedRowError("no completion has a rating")
    best = ranked[0].completion
    _require_words(best)
    system = [{"role": "system", "content": best.custom_system_prompt}] if best.custom_system_prompt else []
    return Demonstration([*system, {"role": "user", "content": row.instruction}], best.response)


def pairs(row: UltraFeedbackRow, wanted: Wanted, left_out: Counter[str]) -> list[PreferencePair]:
    """The pairs that a row gives: at most one, or one for each principle; counts what it does not give.

    Raises MalformedRowError where a completion that is to be chosen is empty.
    """
    # By the instruction, so that a pair is the same wherever the row stands.
    rng = random.Random(f"{wanted.seed}:{row.instruction}")
    if wanted.principles is None:
        return _overall_pair(row, rng, left_out)
    found = []
    for principle in wanted.principles:
        found += _principle_pair(row, principle, rng, wanted, left_out)
    return found


def _overall_pair(row: UltraFeedbackRow, rng: random.Random, left_out: Counter[str]) -> list[PreferencePair]:
    drawn = _drawn(_ranked(row.completions), _rank, rng)
    if drawn is None:
        left_out["no response is inferior overall"] += 1
        return []
    chosen, rejected = drawn
    return [PreferencePair(_asked(row), chosen.response, rejected.response, category=row.source)]


def _principle_pair(
    row: UltraFeedbackRow, principle: str, rng: random.Random, wanted: Wanted, left_out: Counter[str]
) -> list[PreferencePair]:
    key = principle.replace(" ", "_")
    scored = [
        _Scored(rating, completion) for completion in row.completions if (rating := completion.rating(key)) is not None
    ]
    if wanted.rationales:
        explained = [entry for entry in scored if _is_usable(entry.completion.explanation(key))]
        left_out["rationale is missing or compares responses"] += len(scored) - len(explained)
        scored = explained
    drawn = _drawn(scored, lambda entry: entry.score, rng)
    if drawn is None:
        left_out[f"no response is inferior under {principle!r}"] += 1
        return []
    chosen, rejected = drawn
    rationale = Rationale(chosen.explanation(key), rejected.explanation(key)) if wanted.rationales else None
    return [PreferencePair(_asked(row), chosen.response, rejected.response, principle, rationale, row.source)]


def _drawn(
    scored: Sequence[_Scored], order: Callable[[_Scored], Any], rng: random.Random
) -> tuple[Completion, Completion] | None:
    """The best, and one of those that are below it in this order; None where there are none."""
    best = max(scored, key=_rank, default=None)
    if best is None:
        return None
    inferior = [
        entry.completion
        for entry in scored
        if order(entry) < order(best) and entry.completion.response != best.completion.response
    ]
    if not inferior:
        return None
    _require_words(best.completion)
    return best.completion, rng.choice(inferior)


def _ranked(completions: Sequence[Completion]) -> list[_Scored]:
    """Completions that have a rating, the best first."""
    rated = []
    for completion in completions:
        ratings = [note.rating for note in completion.annotations.values() if note and note.rating is not None]
        if ratings:
            rated.append(_Scored(fmean(ratings), completion))
    return sorted(rated, key=_rank, reverse=True)


def _rank(entry: _Scored) -> tuple[float, int]:
    return entry.score, len(entry.completion.response)


def _require_words(best: Completion) -> None:
    if not best.response.strip():
        raise MalformedRowError("the best completion is empty")


def _is_usable(explanation: str) -> bool:
    return bool(explanation) and not is_comparative(explanation)


def _asked(row: UltraFeedbackRow) -> list[dict[str, str]]:
    return [{"role": "user", "content": row.instruction}]
