"""Figures about a JSFT set: counts, lengths in tokens, truncations, position balance, and length as a giveaway."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean

import numpy as np

from selfjudge_training.data.examples.jsft_example import Form, JsftExample
from selfjudge_training.data.records import PreferencePair

_COLUMNS = ("examples", "least", "median", "95%", "most", "tokens", "targets", "cut")


_KINDS: dict[Form, str] = {
    "dialogue": "dialogue",
    "document": "judgment",
    "pair": "pair in place",
    "score": "score in place",
}


def table(
    examples: Iterable[JsftExample],
    demonstrations: int,
    pairs: Sequence[PreferencePair],
    max_tokens: int,
    in_place: int = 0,
) -> list[str]:
    """Lines for people about a set, which may stream by, and what is behind it.

    That is the number of demonstrations, the pairs, and the number of judgments in place where none is too long.
    """
    groups: defaultdict[str, list[tuple[int, int, bool]]] = defaultdict(list)
    places: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    for example in examples:
        kind = _KINDS[example.form]
        group = groups[f"{kind}, {example.principle}" if example.principle else kind]
        group.append((len(example.input_ids), sum(example.targets), example.cut))
        if example.choice:
            (labels if example.form == "score" else places)[example.choice] += 1
    width = max(map(len, ("kind*", *groups)))
    lines = [f"{'kind':<{width}}" + "".join(f"{column:>12}" for column in _COLUMNS)]
    lines += [
        f"{name:<{width}}" + "".join(f"{value:>12,}" for value in _figures(group)) for name, group in groups.items()
    ]
    left_out = demonstrations - len(groups["dialogue"])
    lines += [f"longest sequence: {max_tokens:,} tokens; {left_out:,} dialogues have no target in it: left out"]
    if in_place:
        left_out = in_place - len(groups[_KINDS["pair"]]) - labels.total()
        lines.append(f"in place: {left_out:,} judgments are longer than that: left out")
    if judgments := places.total():
        at_a = places["A"] / judgments
        lines.append(f"position balance: the better response is at A in {at_a:.1%} of {judgments:,} judgments")
    if scores := labels.total():
        said = (f"{label!r} in {count / scores:.1%}" for label, count in labels.most_common())
        lines.append(f"scores: {', '.join(said)} of {scores:,}")
    if pairs:
        longer = fmean((1 + np.sign(len(pair.chosen) - len(pair.rejected))) / 2 for pair in pairs)
        lines.append(f"length: chosen is the longer response in {longer:.1%} of {len(pairs):,} pairs")
        shares = Counter(pair.category or "(none)" for pair in pairs).most_common()
        lines.append(f"categories of pairs: {', '.join(f'{name} {count:,}' for name, count in shares)}")
    return lines


def _figures(group: Sequence[tuple[int, int, bool]]) -> list[int]:
    """The columns, of tokens, targets and whether it was cut, example by example."""
    tokens, targets, cut = np.array(group).T
    quantiles = np.quantile(tokens, (0, 0.5, 0.95, 1), method="inverted_cdf")
    return [len(group), *quantiles, tokens.sum(), targets.sum(), cut.sum()]
