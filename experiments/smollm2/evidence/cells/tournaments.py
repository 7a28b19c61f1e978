"""Tournaments among a model's answers to the held-out tasks, by the forms that compare two.

One bracket over all answers holds the groups of every smaller N; among the best scored of a group the document decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from selfjudge_training.seeds import derived_seed

from experiments.smollm2.evidence.cells.answering import answers_of, undecided
from experiments.smollm2.evidence.cells.bench import Bench, Sampled, asked
from experiments.smollm2.evidence.cells.forms import Match, Orders
from experiments.smollm2.evidence.cells.pairing import Matches, Pair, ask_pairs, read_pairs
from experiments.smollm2.evidence.evidence_plan import COMPARING, EvidencePlan, Form
from experiments.smollm2.evidence.kept import keep
from experiments.smollm2.evidence.results.curves import groups
from selfjudge import Tournament

AT_ONCE = 4
"""Tasks whose matches are read together, a round at a time: some hundred reads."""
SIZES = (1, 2, 4, 8, 16)
KNOCKOUT = "knockout"
TOPS = {2: (4, 8, 16), 4: (8, 16)}
"""How many the score leaves to the document, and for which N it is tried."""


class Tournaments(Matches):
    """All that brackets over the answers to one prompt need."""

    costs: dict[str, dict[int, float]]
    """By way and N: tokens computed for the matches of a bracket, on average over the groups of N."""


def hold_tournaments(bench: Bench) -> None:
    """The matches of one bracket over all answers to each task, and those among the best scored, by the document."""
    answers = answers_of(bench)
    keys = undecided(bench.plan, answers)[: bench.plan.tasks.matches]
    how = {"model": bench.identity, "seed": bench.plan.seed}
    for form in COMPARING:
        if form in bench.model.tournaments:

            def hold(keys: list[str], form: Form = form) -> list[Tournaments]:
                return _tournaments(bench, form, [answers[key] for key in keys])

            keep(bench.file(f"tournaments-by-{form}"), Tournaments, how, keys, AT_ONCE, hold)


def seats_of(plan: EvidencePlan, key: str, size: int) -> tuple[int, ...]:
    """The bracket's seats; neighbours in it are the groups by which smaller N are measured."""
    return Tournament(size, seed=derived_seed(plan.seed, "bracket", key)).seats


def best_scored(row: Sampled, group: Sequence[int], top: int) -> tuple[int, ...]:
    """The first ``top`` of a group by score, as they meet: the first the last, the second the last but one."""
    scores = row.scores
    ranked = sorted(group, key=lambda place: -scores[place])[:top]
    return (ranked[0], ranked[3], ranked[1], ranked[2]) if top == 4 else tuple(ranked)


class Bracket(NamedTuple):
    """Candidates that meet, neighbours first."""

    way: str
    """`knockout`, or `top-2` and `top-4`."""
    size: int
    """N, of which they are the best scored or all."""
    seats: tuple[int, ...]


def brackets_of(plan: EvidencePlan, form: Form, row: Sampled) -> Iterator[Bracket]:
    """All groups of the bracket over the answers, the whole of it last, and the best scored of each."""
    seats = seats_of(plan, row.key, len(row.texts))
    for size in SIZES[1:]:
        for group in groups(seats, size):
            yield Bracket(KNOCKOUT, size, tuple(group))
            for top, sizes in TOPS.items() if form == "document" else ():
                if size in sizes:
                    yield Bracket(f"top-{top}", size, best_scored(row, group, top))


def _tournaments(bench: Bench, form: Form, rows: Sequence[Sampled]) -> list[Tournaments]:
    """All brackets, a round of matches after the other; what has met before is not read again."""
    brackets = {row.key: list(brackets_of(bench.plan, form, row)) for row in rows}
    orders: dict[str, dict[Pair, Orders]] = {row.key: {} for row in rows}
    found: dict[str, dict[Pair, Match]] = {row.key: {} for row in rows}
    while True:
        new = {
            row.key: ask_pairs(
                bench,
                form,
                row,
                dict.fromkeys(
                    pair
                    for bracket in brackets[row.key]
                    for pair in met(bracket.seats, found[row.key])
                    if pair not in found[row.key]
                ),
            )
            for row in rows
        }
        if not any(new.values()):
            break
        for key, matches in read_pairs(bench, form, new).items():
            orders[key] |= new[key]
            found[key] |= {(match.first, match.second): match for match in matches}
    return [_costed(bench, form, row, brackets[row.key], orders[row.key], found[row.key]) for row in rows]


def _costed(
    bench: Bench,
    form: Form,
    row: Sampled,
    brackets: Sequence[Bracket],
    orders: Mapping[Pair, Orders],
    found: Mapping[Pair, Match],
) -> Tournaments:
    costs: dict[str, dict[int, list[int]]] = {}
    for way, size, seats in brackets:
        held = [orders[pair] for pair in met(seats, found)]
        cost = bench.forms.cost(form, asked(row.key), row.answers, held)
        costs.setdefault(way, {}).setdefault(size, []).append(cost)
    means = {way: {size: fmean(each) for size, each in of_way.items()} for way, of_way in costs.items()}
    return Tournaments(key=row.key, matches=list(found.values()), costs=means)


def met(seats: Sequence[int], found: Mapping[Pair, Match]) -> list[Pair]:
    """The pairs of a bracket that meet, as far as the matches that are known decide it."""
    pairs: list[Pair] = []
    left = list(seats)
    while len(left) > 1:
        round_ = list(zip(left[::2], left[1::2], strict=True))
        pairs += round_
        if any(pair not in found for pair in round_):
            break
        left = [winner(found[pair]) for pair in round_]
    return pairs


def champion(seats: Sequence[int], found: Mapping[Pair, Match]) -> int:
    """Who wins a bracket whose matches are known."""
    pairs = met(seats, found)
    return winner(found[pairs[-1]]) if pairs else seats[0]


def winner(match: Match) -> int:
    """The first advances from a tie."""
    return match.second if match.verdict.winner == "B" else match.first
