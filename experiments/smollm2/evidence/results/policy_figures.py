"""Policies in figures: the share of answers to held-out tasks that keep all constraints, before a swap and after it."""

from typing import NamedTuple

import numpy as np
from selfjudge_training.evaluation.statistics import Estimate, bootstrap

from experiments.smollm2.evidence.cells.answering import answers_of, held_out, truth
from experiments.smollm2.evidence.cells.bench import Bench
from experiments.smollm2.evidence.cells.hot_swap import Swapped
from experiments.smollm2.evidence.evidence_plan import BASE, JM
from experiments.smollm2.evidence.kept import read_kept
from experiments.smollm2.evidence.results.curves import less, means


class Shares(NamedTuple):
    """One policy, asked once."""

    right: Estimate
    over: dict[str, Estimate]
    """Less the share of the base, and of JM, on the tasks that both have answered."""
    by_kind: dict[str, Estimate]
    """Share of answers that keep a constraint, by its kind."""
    tokens: float
    """Mean length of an answer."""


def shares_of(bench: Bench) -> Shares | None:
    """Of a policy; none where it has not answered yet."""
    shares = _by_task(bench, bench.name)
    if not shares:
        return None
    known, answers = held_out(bench.plan), answers_of(bench)
    kept: dict[str, list[tuple[str, float]]] = {}
    for key, row in answers.items():
        for constraint in known[key].constraints:
            share = float(np.mean([constraint.keeps(text) for text in row.texts]))
            kept.setdefault(constraint.kind, []).append((key, share))
    others = {name: _by_task(bench, name) for name in (BASE, JM) if name != bench.name}
    return Shares(
        right=means(list(shares.values()))(lambda mean: float(mean[0])),
        over={name: _over(shares, other) for name, other in others.items() if shares.keys() & other.keys()},
        by_kind={
            kind: bootstrap([share for _, share in rows], [key for key, _ in rows])
            for kind, rows in sorted(kept.items())
        },
        tokens=float(np.mean([len(ids) for row in answers.values() for ids in row.token_ids])),
    )


def _by_task(bench: Bench, name: str) -> dict[str, float]:
    known = held_out(bench.plan)
    return {key: float(np.mean(truth(known[key], row))) for key, row in answers_of(bench, name).items()}


def _over(own: dict[str, float], other: dict[str, float]) -> Estimate:
    keys = [key for key in own if key in other]
    return less([own[key] for key in keys], [other[key] for key in keys])


class Swap(NamedTuple):
    """The hot swap."""

    before: Estimate
    after: Estimate
    gain: Estimate
    one_process: bool
    """Whether the server's process stayed the same."""
    seconds: float
    """Of the switch."""


def swap_of(bench: Bench) -> Swap | None:
    """None where it was not measured yet."""
    known, rows = held_out(bench.plan), read_kept(bench.file("hot-swap"), Swapped)
    rows = {key: row for key, row in rows.items() if key in known}
    if not rows:
        return None
    before, after = (
        [float(np.mean([known[key].keeps(text) for text in getattr(row, side)])) for key, row in rows.items()]
        for side in ("before", "after")
    )
    return Swap(
        means(before)(lambda mean: float(mean[0])),
        means(after)(lambda mean: float(mean[0])),
        less(after, before),
        all(row.processes[0] == row.processes[1] for row in rows.values()),
        next(iter(rows.values())).seconds,
    )
