"""The rule by which an over-long judgment is cut to size. Arithmetic only; prompt.py applies it.

The rule. Of the tokens that the judgment's own words leave, the context is entitled to one half and each candidate to
one quarter. Tokens that one does not need go to those that need more, in the same proportions. The context keeps its
end, a candidate its beginning, and "[...]" stands where something was cut. Both orders of one comparison are cut alike.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

CUT_MARK: Final = "[...]"
ENTITLEMENTS: Final = (2, 1, 1)
"""Context, first response, second response."""


class Kept(NamedTuple):
    """How much of one text the judge was shown, in tokens."""

    kept: int
    total: int


class Cut(NamedTuple):
    """How much of each text the judge was shown, where not everything."""

    context: Kept
    first: Kept
    second: Kept


def allot(room: int, needs: Sequence[int], weights: Sequence[int] = ENTITLEMENTS) -> list[int]:
    """Tokens allotted to each text: its need where it can be met, otherwise at least its entitlement.

    `room` >= 0 tokens are shared among texts of `needs` tokens. The sum never exceeds `room` unless all needs are met.
    """
    granted = [0] * len(needs)
    open_ = set(range(len(needs)))
    while open_:
        total = sum(weights[i] for i in open_)
        content = {i for i in open_ if needs[i] * total <= room * weights[i]}
        if not content:
            for i in open_:
                granted[i] = room * weights[i] // total
            break
        for i in content:
            granted[i] = needs[i]
        room -= sum(needs[i] for i in content)
        open_ -= content
    return granted
