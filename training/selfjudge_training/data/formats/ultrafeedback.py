"""UltraFeedback: several completions a row, each rated with a rationale under each principle (A.1, table 8).

Overall rank is the mean rating, ties going to the longer response; under a principle, its rating. The chosen response
is the best, the rejected one drawn from those below it: in rank overall, in rating under a principle, so equals under
a principle are no pair. D_SFT has one demonstration a row, with the system message its completion was made with;
judgments are under the default one (A.5), so pairs carry none. A rating "N/A" is no rating.
"""

import random
import re
from collections import Counter
from operator import itemgetter
from statistics import fmean
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, FiniteFloat

from selfjudge import JudgmentTemplate
from selfjudge_training.data.formats.preferences import Category
from selfjudge_training.data.records import Demonstration, PreferencePair
from selfjudge_training.data.source import MalformedRowError

NOTHING_SAID = ("N/A", "None", "")
"""What stands in the data set where there is no rating or no rationale."""

# GPT-4 rated four texts of UltraFeedback at once and called them "Text 1" to "Text 4". The paper does not say how it
# found comparisons; this is by expressions, and rather takes a harmless sentence for a comparison than the reverse.
_TEXTS = r"(?:text|response|completion|output|answer)s?"
_COMPARISONS = re.compile(
    rf"""
      \b(?:text|response|completion|output)s?\s*\#?\s*[1-4]\b       # named by their numbers
    | \b(?:other|others'|another|previous|remaining|rest\ of\ the|first|second|third|fourth)\s+{_TEXTS}\b
    | \b(?:all|both|each|none|any|two|three|four)\s+(?:of\s+)?(?:the\s+|these\s+)?(?:text|response|completion|output)s\b
    | \bthan\s+(?:the\s+|any\s+|all\s+)?(?:others?|rest|{_TEXTS})\b
    | \b(?:compared|comparison)\s+(?:to|with)\b | \bin\s+comparison\b | \bthe\s+others\b
    | \bamong\s+(?:the|all|these)\b | \b(?:most|least|best|worst)\b[^.]*\b(?:of\s+all|of\s+the\s+(?:two|three|four))\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_comparative(rationale: str) -> bool:
    """Whether it speaks of other responses than its own, which a judge that sees two cannot follow (A.1)."""
    return _COMPARISONS.search(rationale) is not None


class Annotation(BaseModel):
    """What was said of a completion under one principle."""

    rating: Annotated[FiniteFloat | None, BeforeValidator(lambda value: None if value in NOTHING_SAID else value)] = (
        Field(alias="Rating")
    )
    rationale: str | None = Field(None, alias="Rationale")
    rationale_for_rating: str | None = Field(None, alias="Rationale For Rating")
    """Where `Type` sorts errors, `Rationale` explains the type, and this the rating."""


class Completion(BaseModel):
    """One response."""

    response: str
    annotations: Annotated[dict[str, Annotation | None], BeforeValidator(lambda value: value or {})]
    custom_system_prompt: str | None = None

    def rating(self, principle: str | None) -> float | None:
        """Under a principle, or the mean of all; None where there is none."""
        notes = self.annotations.values() if principle is None else [self._note(principle)]
        ratings = [note.rating for note in notes if note and note.rating is not None]
        return fmean(ratings) if ratings else None

    def explanation(self, principle: str) -> str:
        """Why it is rated so under a principle; empty where nobody says."""
        note = self._note(principle)
        said = (note.rationale_for_rating or note.rationale or "").strip() if note else ""
        return "" if said in NOTHING_SAID else said

    def _note(self, principle: str) -> Annotation | None:
        return self.annotations.get(principle.replace(" ", "_"))


_Rated = tuple[float, int, Completion]
"""Rating and length, by which completions rank, and the completion."""
_RANK = itemgetter(0, 1)


class UltraFeedbackRow(BaseModel):
    """A row of the data set; further keys are ignored."""

    instruction: str = Field(min_length=1)
    completions: list[Completion] = Field(min_length=1)
    source: Category = ""
    """Which collection the instruction comes from; serves as the category."""

    def demonstration(self) -> Demonstration:
        """The best completion, under the system message it was made with. Raises MalformedRowError."""
        rated = self._rated(None)
        if not rated:
            raise MalformedRowError("no completion has a rating")
        chosen = _with_words(max(rated, key=_RANK)[-1])
        system = [{"role": "system", "content": chosen.custom_system_prompt}] if chosen.custom_system_prompt else []
        return Demonstration([*system, {"role": "user", "content": self.instruction}], chosen.response)

    def pairs(self, template: JudgmentTemplate, seed: int, left_out: Counter[str]) -> list[PreferencePair]:
        """The pairs that a template needs: at most one, or one under each principle; counts what it does not give.

        Raises MalformedRowError where a completion that is to be chosen is empty.
        """
        # By the instruction, so that a pair is the same wherever the row stands.
        rng = random.Random(f"{seed}:{self.instruction}")
        drawn = [self._pair(principle, template, rng, left_out) for principle in template.principles or (None,)]
        return [pair for pair in drawn if pair]

    def _rated(self, principle: str | None) -> list[_Rated]:
        ratings = [(one.rating(principle), one) for one in self.completions]
        return [(rating, len(one.response), one) for rating, one in ratings if rating is not None]

    def _pair(
        self, principle: str | None, template: JudgmentTemplate, rng: random.Random, left_out: Counter[str]
    ) -> PreferencePair | None:
        rated = self._rated(principle)
        if principle is None:
            rated.sort(key=_RANK, reverse=True)
        elif template.rationale:
            explained = [one for one in rated if (why := one[-1].explanation(principle)) and not is_comparative(why)]
            left_out["rationale is missing or compares responses"] += len(rated) - len(explained)
            rated = explained
        top, longest, best = max(rated, key=_RANK, default=(0, 0, None))
        inferior = [
            one
            for rating, length, one in rated
            if best and one.response != best.response and (rating < top or (principle is None and length < longest))
        ]
        if best is None or not inferior:
            left_out[f"no response is inferior {f'under {principle!r}' if principle else 'overall'}"] += 1
            return None
        chosen, rejected, rationale = _with_words(best), rng.choice(inferior), None
        if principle and template.rationale:
            rationale = chosen.explanation(principle), rejected.explanation(principle)
        asked = [{"role": "user", "content": self.instruction}]
        return PreferencePair(asked, chosen.response, rejected.response, principle, rationale, self.source)


def _with_words(best: Completion) -> Completion:
    if not best.response.strip():
        raise MalformedRowError("the best completion is empty")
    return best
