"""The goals, fixed before any held-out figure was seen, and what the figures say of them."""

from collections.abc import Iterator
from typing import NamedTuple

from selfjudge_training.evaluation.statistics import Estimate

from experiments.smollm2.evidence.evidence_plan import BASE, COMPARING, JM, EvidencePlan, Form
from experiments.smollm2.evidence.results.everything import Everything
from experiments.smollm2.evidence.results.ifeval_figures import BEST_OF
from experiments.smollm2.evidence.results.picking_figures import SCORE

FORM_NAMES: dict[Form, str] = {"score": "score in place", "document": "document", "pair": "pair in place"}


class Goal(NamedTuple):
    """A figure and what it should be at least."""

    text: str
    least: float
    found: Estimate | None
    """None where it was not measured yet."""

    @property
    def verdict(self) -> str:
        """In the words of the report."""
        if self.found is None:
            return "not measured yet"
        short = self.least - self.found.mean
        if short > 0:
            return f"missed by {100 * short:.1f} points"
        return "met" if self.found.low >= self.least else "met, but its interval reaches below"


def goals_of(plan: EvidencePlan, found: Everything) -> Iterator[Goal]:
    """All goals."""
    judge = {form: one.overall for form, one in found.judges.get(JM, {}).items()}
    for form, name in FORM_NAMES.items():
        accuracy = judge[form]["accuracy"] if form in judge else None
        yield Goal(f"JM judges pairs within a held-out prompt right, {name}", 0.75, accuracy)
    for form in COMPARING:
        consistency = judge[form]["position_consistency"] if form in judge else None
        yield Goal(f"position consistency of JM there, {FORM_NAMES[form]}", 0.70, consistency)
    picked = found.picking[JM].picked[SCORE].get(BEST_OF) if JM in found.picking else None
    text = f"best_of_n {BEST_OF} of JM, by score in place, recovers of the oracle's gain"
    yield Goal(text, 0.5, picked.recovered if picked else None)
    best = found.ifeval.get(JM, {}).get(BEST_OF)
    text = f"IFEval, prompt, strict: JM with best_of_n {BEST_OF} above the base at 1"
    yield Goal(text, 0.08, best.over_base if best else None)
    *_, last = (name for name in plan.models if name not in (BASE, JM))
    share = found.shares.get(last)
    yield Goal(
        f"self-training ({last}) raises the share of right answers over JM's", 0.10, share and share.over.get(JM)
    )
