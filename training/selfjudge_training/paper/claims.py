"""A claim of the paper as inequalities between measured figures, and what the intervals say of it."""

from typing import NamedTuple

from selfjudge_training.evaluation.statistics import Estimate


class Part(NamedTuple):
    """One inequality: an effect that the claim says is above 0."""

    what: str
    effect: Estimate

    @property
    def verdict(self) -> str:
        """What the 95% interval says."""
        if self.effect.low > 0:
            return "holds"
        return "reversed" if self.effect.high < 0 else "not shown"


class Claim(NamedTuple):
    """It holds where all of its parts do."""

    text: str
    parts: list[Part]

    @property
    def verdict(self) -> str:
        """In the words of the report."""
        verdicts = [part.verdict for part in self.parts]
        if set(verdicts) == {"holds"}:
            return "holds"
        if "reversed" in verdicts:
            return "does not hold" if set(verdicts) == {"reversed"} else "does not hold as a whole"
        return "not shown" if "holds" not in verdicts else "holds in part"
