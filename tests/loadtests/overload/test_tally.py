"""Figures and files from requests that were not measured."""

import json
from pathlib import Path

import pytest

from loadtests.overload import tally
from loadtests.overload.overload_page import results
from loadtests.overload.phases import NO_ANSWER, Level, Reply
from loadtests.report import write


@pytest.fixture
def measured() -> tally.Measured:
    levels = [
        tally.closed_loop(Level(1, 10.0, [Reply(float(i), 0.1, 200) for i in range(20)])),
        tally.closed_loop(Level(2, 10.0, [Reply(float(i), 0.2, 200) for i in range(40)])),
    ]
    capacity = levels[-1]
    replies = [Reply(0.0, 0.3, 200)] * 10 + [Reply(1.0, 0.01, 429, 2.0)] * 29 + [Reply(9.5, 0.5, 200)]
    visitors = [
        [Reply(0.0, 0.2, 200)],
        [Reply(0.0, 0.01, 429, 1.0), Reply(1.0, 0.2, 200)],
        [Reply(0.0, 0.01, 429, 2.0), Reply(2.0, 0.01, 429, 1.0), Reply(3.0, 0.2, 200)],
        [Reply(0.0, 0.01, 429, 3.0), Reply(3.0, 0.01, 500)],
    ]
    loops = [*levels, levels[0]]
    over = tally.overload(replies, 40.0, 10.0)
    return tally.Measured(loops, over, tally.crowd(visitors, capacity), replies, visitors)


def test_a_level_counts_answers_and_keeps_every_status() -> None:
    replies = [Reply(0, 0.3, 200)] * 90 + [Reply(0, 0.1, 429, 1.0)] * 10 + [Reply(0, 0.2, NO_ANSWER)]
    level = tally.closed_loop(Level(4, 10.0, replies))
    assert (level.throughput, level.latency.p50) == (9.0, 0.3)
    assert level.statuses == {NO_ANSWER: 1, 200: 90, 429: 10}


def test_admitted_requests_are_compared_with_those_at_capacity(measured: tally.Measured) -> None:
    over = measured.overload
    assert over.statuses == {200: 11, 429: 29}
    assert over.throughput == pytest.approx(1.1)
    assert over.admitted[:2] == pytest.approx((0.3, 0.5))
    assert over.refusal.p95 == pytest.approx(0.01)


def test_a_crowds_returns_are_counted(measured: tally.Measured) -> None:
    crowd = measured.crowd
    assert crowd.statuses == {200: 3, 500: 1}
    assert (crowd.admitted_at_once, crowd.first_return, crowd.second_return) == pytest.approx((0.25, 1 / 3, 2 / 3))
    assert crowd.returns == pytest.approx(4 / 3)
    assert (crowd.seconds, crowd.needed) == pytest.approx((3.2, 1.0))
    assert (crowd.told_p50, crowd.told_longest) == (2.0, 3.0)


def test_files_hold_the_figures(measured: tally.Measured, tmp_path: Path) -> None:
    paths = write(tmp_path, {"machine": "none"}, results("", {"one queue": measured, "another": measured}))
    assert [path.name for path in paths] == ["overload.json", "overload.md", "overload.png"]
    data = json.loads(paths[0].read_text())
    assert data["queues"]["another"]["overload"]["statuses"] == {"200": 11, "429": 29}
    page = paths[1].read_text()
    assert "| 2 clients | 4.0/s; 0.20 s, 0.20 s | 4.0/s; 0.20 s, 0.20 s |" in page
    assert "1.50 and 2.50 times those at capacity" in page
    assert "33% the first, 67% by the second" in page
    assert paths[2].stat().st_size > 1000
