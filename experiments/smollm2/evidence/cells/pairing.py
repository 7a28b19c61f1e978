"""Pairs of a right and a wrong answer to one task, compared by the forms that judge two."""

import random
from collections.abc import Iterable, Mapping

from selfjudge_training.seeds import derived_seed

from experiments.smollm2.evidence.cells.answering import AT_ONCE, answers_of, held_out, identity, truth, undecided
from experiments.smollm2.evidence.cells.bench import Bench, Sampled, asked
from experiments.smollm2.evidence.cells.forms import Match, Meeting, Orders
from experiments.smollm2.evidence.evidence_plan import COMPARING, JM, EvidencePlan, Form
from experiments.smollm2.evidence.kept import KeptRow, keep
from experiments.smollm2.tasks import Task

Pair = tuple[int, int]
"""Places of two answers, the first at A where the first order is read."""


class Matches(KeptRow):
    """Answers to one prompt compared by one form."""

    matches: list[Match]


def pairs_of(plan: EvidencePlan, task: Task, row: Sampled) -> list[Pair]:
    """Places of right answers and wrong ones, in an order drawn by chance."""
    right = truth(task, row)
    rng = random.Random(derived_seed(plan.seed, "pairs", task.prompt))
    sides = ([place for place, is_right in enumerate(right) if is_right is side] for side in (True, False))
    drawn = (rng.sample(places, len(places)) for places in sides)
    return list(zip(*drawn, strict=False))[: plan.tasks.pairs]


def judge_pairs(bench: Bench) -> None:
    """Pairs of JM's answers by the forms that compare."""
    answers, known = answers_of(bench, JM), held_out(bench.plan)
    if not answers:
        return
    how = {"judge": bench.identity, "answers": identity(bench, JM)}
    for form in COMPARING:

        def judge(keys: list[str], form: Form = form) -> list[Matches]:
            pairs = {key: pairs_of(bench.plan, known[key], answers[key]) for key in keys}
            orders = {key: ask_pairs(bench, form, answers[key], pairs[key]) for key in keys}
            return [Matches(key=key, matches=matches) for key, matches in read_pairs(bench, form, orders).items()]

        keep(bench.file(f"pairs-by-{form}"), Matches, how, undecided(bench.plan, answers), AT_ONCE, judge)


def ask_pairs(bench: Bench, form: Form, row: Sampled, pairs: Iterable[Pair]) -> dict[Pair, Orders]:
    """How the judge is asked about answers to one prompt."""
    pairs, answers = list(pairs), row.answers
    meetings = [Meeting(asked(row.key), answers[first], answers[second]) for first, second in pairs]
    return dict(zip(pairs, bench.forms.encode(form, meetings), strict=True))


def read_pairs(bench: Bench, form: Form, wanted: Mapping[str, Mapping[Pair, Orders]]) -> dict[str, list[Match]]:
    """What it says, by prompt."""
    reads = iter(bench.forms.compare(form, [orders for of_one in wanted.values() for orders in of_one.values()]))
    return {key: [Match(*pair, *next(reads)) for pair in of_one] for key, of_one in wanted.items()}
