"""best_of_n in figures: what each way of picking gets right among N answers to a held-out task, and what that costs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.smollm2.evidence.cells.answering import Scores, answers_of, held_out, truth
from experiments.smollm2.evidence.cells.bench import Bench, Sampled
from experiments.smollm2.evidence.cells.likelihood import Likelihood
from experiments.smollm2.evidence.cells.tournaments import (
    KNOCKOUT,
    SIZES,
    TOPS,
    Bracket,
    Tournaments,
    brackets_of,
    champion,
)
from experiments.smollm2.evidence.evidence_plan import COMPARING, EvidencePlan, Form
from experiments.smollm2.evidence.kept import read_kept
from experiments.smollm2.evidence.results.curves import (
    ORACLE,
    RANDOM,
    Curve,
    Picked,
    Point,
    Turn,
    best_by,
    picked,
    turn,
)

SCORE, BY_REFERENCE = "score in place", "score in place, by the reference"
NAMES: dict[tuple[Form, str], str] = {
    ("document", KNOCKOUT): "document, knockout",
    ("pair", KNOCKOUT): "pair in place, knockout",
    ("document", "top-2"): "score, then document among 2",
    ("document", "top-4"): "score, then document among 4",
}


class Picking(NamedTuple):
    """All ways of picking among the answers of one model."""

    prompts: int
    undecided: int
    """Of these, the tasks with right and wrong answers."""
    picked: dict[str, dict[int, Picked]]
    turns: dict[str, Turn]


def picking_of(bench: Bench) -> Picking | None:
    """By numbers that rank answers, on all tasks; none where no task is answered."""
    answers = answers_of(bench)
    if not answers:
        return None
    ranks = {SCORE: {key: row.scores for key, row in answers.items()}}
    ranks["shortest"] = {key: [-len(ids) for ids in row.token_ids] for key, row in answers.items()}
    weighed = read_kept(bench.file("likelihoods"), Likelihood)
    if _covers(bench.plan, weighed, answers):
        ranks["likelihood"] = {key: row.logprobs for key, row in weighed.items()}
        ranks["likelihood per token"] = {key: list(np.divide(row.logprobs, row.tokens)) for key, row in weighed.items()}
    reference = bench.model.reference
    others = read_kept(bench.file(f"scores-by-{reference}"), Scores) if reference else {}
    if others and _covers(bench.plan, others, answers):
        ranks[BY_REFERENCE] = {key: [read.reading.margin for read in row.reads] for key, row in others.items()}
    curves = {name: _ranked(bench.plan, answers, rank, costs=name == SCORE) for name, rank in ranks.items()}
    return _picking(bench.plan, answers, curves)


def contests_of(bench: Bench) -> Picking | None:
    """By tournaments, and by score on the same tasks: the first ones, as far as their tournaments were held."""
    answers = answers_of(bench)
    held = {form: read_kept(bench.file(f"tournaments-by-{form}"), Tournaments) for form in COMPARING}
    held = {form: rows for form, rows in held.items() if rows}
    if not held:
        return None
    some = _first(bench.plan, answers, held)
    curves = {SCORE: _ranked(bench.plan, some, {key: row.scores for key, row in some.items()}, costs=True)}
    for (form, way), name in NAMES.items():
        if form in held:
            curves[name] = _held(bench.plan, form, way, some, held[form])
    return _picking(bench.plan, some, {name: curve for name, curve in curves.items() if len(curve) > 1})


def _picking(plan: EvidencePlan, answers: Mapping[str, Sampled], curves: Mapping[str, Curve]) -> Picking:
    right = _truths(plan, answers)
    sizes = _sizes(answers)
    chance = {size: Point([float(np.mean(one)) for one in right.values()]) for size in sizes}
    oracle = {size: Point([best_by(list(map(float, one)), one, size) for one in right.values()]) for size in sizes}
    everything = {RANDOM: chance, **curves, ORACLE: oracle}
    return Picking(
        prompts=len(right),
        undecided=sum(len(set(one)) == 2 for one in right.values()),
        picked=picked(everything),
        turns={name: turn(curve) for name, curve in curves.items()},
    )


def _ranked(
    plan: EvidencePlan, answers: Mapping[str, Sampled], ranks: Mapping[str, Sequence[float]], *, costs: bool
) -> Curve:
    """Tasks without ranks are decided: any pick will do. ``costs``: the ranks are the model's own scores."""
    right = _truths(plan, answers)
    tokens = {key: float(np.mean(row.costs)) for key, row in answers.items()}
    return {
        size: Point(
            [best_by(ranks.get(key, [0.0] * len(one)), one, size) for key, one in right.items()],
            [size * tokens[key] * (size > 1) for key in right] if costs else None,
        )
        for size in _sizes(answers)
    }


def _held(
    plan: EvidencePlan, form: Form, way: str, answers: Mapping[str, Sampled], held: Mapping[str, Tournaments]
) -> Curve:
    right = _truths(plan, answers)
    curve: Curve = {1: Point([float(np.mean(one)) for one in right.values()])}
    for size in _sizes(answers)[1:]:
        if way != KNOCKOUT and size not in TOPS[int(way.removeprefix("top-"))]:
            continue
        tokens = [
            held[key].costs[way][size] + (0.0 if way == KNOCKOUT else size * float(np.mean(answers[key].costs)))
            for key in right
            if key in held
        ]
        shares = [
            _share(brackets_of(plan, form, answers[key]), way, size, held[key], one) if key in held else float(one[0])
            for key, one in right.items()
        ]
        curve[size] = Point(shares, tokens)
    return curve


def _share(brackets: Iterable[Bracket], way: str, size: int, held: Tournaments, right: Sequence[bool]) -> float:
    found = {(match.first, match.second): match for match in held.matches}
    wins = [right[champion(one.seats, found)] for one in brackets if (one.way, one.size) == (way, size)]
    return float(np.mean(wins))


def _truths(plan: EvidencePlan, answers: Mapping[str, Sampled]) -> dict[str, list[bool]]:
    known = held_out(plan)
    return {key: truth(known[key], row) for key, row in answers.items()}


def _sizes(answers: Mapping[str, Sampled]) -> list[int]:
    samples = min(len(row.texts) for row in answers.values())
    return [size for size in SIZES if size <= samples]


def _covers(plan: EvidencePlan, rows: Mapping[str, object], answers: Mapping[str, Sampled]) -> bool:
    return all(key in rows for key, one in _truths(plan, answers).items() if len(set(one)) == 2)


def _first(
    plan: EvidencePlan, answers: Mapping[str, Sampled], held: Mapping[Form, Mapping[str, Tournaments]]
) -> dict[str, Sampled]:
    """Up to the first task that is undecided and whose tournaments were not held: no task is left out for its truth."""
    some = {}
    for key, one in _truths(plan, answers).items():
        if len(set(one)) == 2 and not all(key in rows for rows in held.values()):
            break
        some[key] = answers[key]
    return some
