"""The paper's claims as inequalities, and what the intervals say of them."""

from typing import NamedTuple

from selfjudge_training.evaluation.statistics import Estimate

from experiments.paper.figures import Finished, Values, estimate
from experiments.paper.recipe import JUDGE_ONLY, PaperRecipe


class Part(NamedTuple):
    """One inequality of a claim: an effect that it says is above 0."""

    what: str
    effect: Estimate

    @property
    def verdict(self) -> str:
        """What the 95% interval says."""
        if self.effect.low > 0:
            return "holds"
        return "reversed" if self.effect.high < 0 else "not shown"


class Claim(NamedTuple):
    """A claim of the paper; it holds where all of its parts do."""

    text: str
    parts: list[Part]

    @property
    def verdict(self) -> str:
        """In the words of the report."""
        verdicts = {part.verdict for part in self.parts}
        if verdicts == {"holds"}:
            return "holds"
        if "reversed" in verdicts:
            return "does not hold" if verdicts == {"reversed"} else "does not hold as a whole"
        return "holds in part" if "holds" in verdicts else "not shown"


def claims_of(recipe: PaperRecipe, run: Finished) -> list[Claim]:
    """All claims, with our figures."""

    def accuracy(what: str, more: str, less: str) -> Part:
        return _less(f"accuracy, {what}", run.models[more]["accuracy"], run.models[less]["accuracy"])

    def wins(more: str, less: str) -> Part:
        return _less(f"win rate, {more} less {less}", run.models[more]["win_rate"], run.models[less]["win_rate"])

    most = recipe.evaluation.sizes[-1]
    rises = [
        _less(f"win rate, {name}, N = {most} less N = 1", points[most]["win_rate"], points[1]["win_rate"])
        for name, points in run.sweeps.items()
    ]
    levels = [figures["win_rate"] for figures in run.iterations["previous"].values()]
    gains = [_less(f"gain of iteration {n}", levels[n], levels[n - 1]) for n in range(1, len(levels))]
    falls = [
        Part(
            f"gain of iteration {n} less that of {n + 1}",
            estimate((2.0, levels[n]), (-1.0, levels[n - 1]), (-1.0, levels[n + 1])),
        )
        for n in range(1, len(levels) - 1)
    ]
    return [
        Claim("JSFT judges better than judge-only training", [accuracy("JSFT less judge-only", "jm", JUDGE_ONLY)]),
        Claim(
            "on-policy beats off-policy beats offline", [wins("on-policy", "off-policy"), wins("off-policy", "offline")]
        ),
        Claim("self-rejection rises with N", rises),
        Claim(
            "principles and rationales raise judge accuracy",
            [accuracy("JM-P less JM", "jm-p", "jm"), accuracy("JM-PR less JM-P", "jm-pr", "jm-p")],
        ),
        Claim("iterating helps, each time less", gains + falls),  # a loss fails a gain, whatever the falls say
    ]


def _less(what: str, more: Values, less: Values) -> Part:
    return Part(what, estimate((1.0, more), (-1.0, less)))
