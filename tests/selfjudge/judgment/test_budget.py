"""The arithmetic of cutting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfjudge.judgment.budget import ENTITLEMENTS, allot

NEEDS = st.lists(st.integers(0, 3000), min_size=3, max_size=3)


@pytest.mark.parametrize(
    ("room", "needs", "granted"),
    [
        (400, [1000, 1000, 1000], [200, 100, 100]),
        (400, [10, 20, 30], [10, 20, 30]),
        (400, [1000, 50, 1000], [233, 50, 116]),
        (400, [0, 1000, 1000], [0, 200, 200]),
        (400, [1000, 0, 0], [400, 0, 0]),
        (0, [5, 5, 0], [0, 0, 0]),
    ],
)
def test_halves_and_quarters_and_what_others_leave(room: int, needs: list[int], granted: list[int]) -> None:
    assert allot(room, needs) == granted


@given(room=st.integers(0, 5000), needs=NEEDS)
def test_everybody_gets_what_is_due_and_nothing_is_wasted(room: int, needs: list[int]) -> None:
    granted = allot(room, needs)
    assert sum(granted) <= room
    for got, need, weight in zip(granted, needs, ENTITLEMENTS, strict=True):
        assert min(need, room * weight // 4) <= got <= need
    if granted != needs:
        assert sum(granted) > room - len(needs)
