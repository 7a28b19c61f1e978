"""Figures about a JSFT set: counts, lengths in tokens, truncations, position balance, and length as a giveaway."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean

import numpy as np

from selfjudge_training.data.examples.jsft_set import JsftExample
from selfjudge_training.data.records import PreferencePair

_COLUMNS = ("examples", "least", "median", "95%", "most", "tokens", "targets", "cut")


def table(
    examples: Iterable[JsftExample], demonstrations: int, pairs: Sequence[PreferencePair], max_tokens: int
) -> list[str]:
    """Lines for people about a set, which may stream by, and the demonstrations (their number) and pairs behind it."""
    groups: defaultdict[str, list[tuple[int, int, bool]]] = defaultdict(list)
    places: Counter[str] = Counter()
    for example in examples:
        kind = "judgment" if example.choice else "dialogue"
        group = groups[f"{kind}, {example.principle}" if example.principle else kind]
        group.append((len(example.input_ids), sum(example.loss_mask), example.cut))
        places.update(example.choice or "")
    width = max(map(len, ("kind*", *groups)))
    lines = [f"{'kind':<{width}}" + "".join(f"{column:>12}" for column in _COLUMNS)]
    lines += [
        f"{name:<{width}}" + "".join(f"{value:>12,}" for value in _figures(group)) for name, group in groups.items()
    ]
    left_out = demonstrations - len(groups["dialogue"])
    lines += [f"longest sequence: {max_tokens:,} tokens; {left_out:,} dialogues have no target in it: left out"]
    if judgments := places.total():
        at_a = places["A"] / judgments
        lines.append(f"position balance: the better response is at A in {at_a:.1%} of {judgments:,} judgments")
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
