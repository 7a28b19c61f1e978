"""Figures about a JSFT set: counts, lengths in tokens, truncations, position balance, and length as a giveaway."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil
from typing import NamedTuple

from selfjudge_training.data.examples.jsft_set import JsftExample
from selfjudge_training.data.records import PreferencePair


class Lengths(NamedTuple):
    """Lengths of examples of one kind, in tokens."""

    examples: int
    least: int
    median: int
    p95: int
    most: int
    total: int
    targets: int
    """Loss-bearing tokens of all of them."""
    cut: int
    """Examples of which something was cut away."""


class Stats(NamedTuple):
    """What there is to know before training."""

    lengths: dict[str, Lengths]
    """By kind, judgments by principle."""
    left_out: int
    """Dialogues with no target within the longest sequence."""
    places: Counter[str]
    """Judgments by the place of the better response; equal where every pair is there in both orders."""
    pairs: int
    chosen_is_longer: float | None
    """Share of pairs whose chosen response has more characters, equals counting half; None without pairs."""
    categories: Counter[str]
    """Pairs by category."""


def measure(examples: Iterable[JsftExample], demonstrations: int, pairs: Sequence[PreferencePair]) -> Stats:
    """Figures of a set, which may stream by, and of the demonstrations (their number) and pairs it is made of."""
    groups: dict[str, list[tuple[int, int, bool]]] = {}
    places: Counter[str] = Counter()
    dialogues = 0
    for example in examples:
        group = f"{example.kind}, {example.principle}" if example.principle else example.kind
        groups.setdefault(group, []).append((len(example.input_ids), sum(example.loss_mask), example.cut))
        places.update([example.choice] if example.choice else [])
        dialogues += example.kind == "dialogue"
    longer = [_longer(pair) for pair in pairs]
    return Stats(
        {group: _lengths(measured) for group, measured in groups.items()},
        demonstrations - dialogues,
        places,
        len(pairs),
        sum(longer) / len(longer) if longer else None,
        Counter(pair.category or "(none)" for pair in pairs),
    )


def table(stats: Stats, max_tokens: int) -> list[str]:
    """The figures as lines for people."""
    columns = ("examples", "least", "median", "95%", "most", "tokens", "targets", "cut")
    width = max([len(group) for group in stats.lengths] + [5])
    lines = [f"{'kind':<{width}}" + "".join(f"{column:>12}" for column in columns)]
    for group, lengths in stats.lengths.items():
        lines.append(f"{group:<{width}}" + "".join(f"{value:>12,}" for value in lengths))
    lines += [f"longest sequence: {max_tokens:,} tokens; {stats.left_out:,} dialogues have no target in it: left out"]
    if stats.places:
        share = stats.places["A"] / stats.places.total()
        lines.append(
            f"position balance: the better response is at A in {share:.1%} of {stats.places.total():,} judgments"
        )
    if stats.chosen_is_longer is not None:
        lines.append(f"length: chosen is the longer response in {stats.chosen_is_longer:.1%} of {stats.pairs:,} pairs")
        shares = (f"{name} {count:,}" for name, count in stats.categories.most_common())
        lines.append(f"categories of pairs: {', '.join(shares)}")
    return lines


def _longer(pair: PreferencePair) -> float:
    difference = len(pair.chosen) - len(pair.rejected)
    return 0.5 if difference == 0 else float(difference > 0)


def _lengths(group: Sequence[tuple[int, int, bool]]) -> Lengths:
    """Of tokens, targets and whether it was cut, example by example."""
    tokens, targets, cut = zip(*group, strict=True)
    ordered = sorted(tokens)
    middle, p95 = ordered[(len(ordered) - 1) // 2], ordered[ceil(0.95 * len(ordered)) - 1]
    return Lengths(len(ordered), ordered[0], middle, p95, ordered[-1], sum(ordered), sum(targets), sum(cut))
