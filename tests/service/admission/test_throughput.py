"""The rate, and what refused callers are told."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selfjudge_service.admission.throughput import LONGEST_SECONDS, Throughput


def measured(rate: float, seconds: int = 20) -> Throughput:
    """A throughput after so many seconds of a full server that finishes `rate` candidates each second."""
    throughput = Throughput(0.0, candidates=16)
    for second in range(1, seconds + 1):
        throughput.pass_time(float(second), busy=True, full=True, finished=round(rate))
    return throughput


def test_nothing_is_known_at_first() -> None:
    throughput = Throughput(0.0, candidates=16)
    assert throughput.rate is None
    assert throughput.come_back(100, 8) == 1
    assert throughput.seconds_for(100) == 0


def test_the_rate_is_what_finishes_in_a_second() -> None:
    assert measured(50).rate == pytest.approx(50)


def test_a_large_model_that_is_silent_for_a_minute_and_then_finishes_all_at_once_has_a_steady_rate() -> None:
    throughput, rates = Throughput(0.0, candidates=24), []
    for tenths in range(1, 6001):
        finished = 24 if tenths % 600 == 0 else 0  # somebody is refused every tenth of a second
        throughput.pass_time(tenths / 10, busy=True, full=True, finished=finished)
        rates.append(throughput.sure_rate)
    assert rates[598] is None, "at first nobody knows"
    assert rates[599:] == pytest.approx([0.4] * len(rates[599:]), rel=0.6)


def test_what_the_first_to_finish_show_is_no_sure_rate() -> None:
    throughput = Throughput(0.0, candidates=16)
    throughput.pass_time(10.0, busy=True, full=True, finished=8)
    assert throughput.rate == pytest.approx(0.8)
    assert throughput.sure_rate is None
    throughput.pass_time(11.0, busy=True, full=False, finished=8)
    assert throughput.sure_rate is None, "a server that isn't full shows less than it can do"
    throughput.pass_time(12.0, busy=True, full=True, finished=8)
    assert throughput.sure_rate == throughput.rate


def test_a_server_that_nobody_waits_for_shows_less_than_it_can_do() -> None:
    throughput = Throughput(0.0, candidates=16)
    for second in range(1, 11):
        throughput.pass_time(float(second), busy=True, full=False, finished=2)
    assert throughput.rate == pytest.approx(2)
    for second in range(11, 14):
        throughput.pass_time(float(second), busy=True, full=True, finished=40)
    assert throughput.rate == pytest.approx(40), "once somebody waits, only that time counts"
    for second in range(14, 100):
        throughput.pass_time(float(second), busy=True, full=False, finished=2)
    assert throughput.rate == pytest.approx(40)


def test_idle_time_does_not_count() -> None:
    throughput = Throughput(0.0, candidates=16)
    throughput.pass_time(1.0, busy=True, full=False, finished=8)
    throughput.pass_time(1000.0, busy=False, full=False)
    assert throughput.rate == pytest.approx(8)


def test_a_server_that_became_slower_is_soon_known_to_be() -> None:
    throughput = measured(100)
    for second in range(21, 51):
        throughput.pass_time(float(second), busy=True, full=True, finished=10)
    assert throughput.rate == pytest.approx(10, rel=0.5)


def test_the_first_refused_is_told_the_time_that_the_queue_needs() -> None:
    assert measured(10).come_back(ahead=45, weight=5) == 5


def test_each_of_a_crowd_is_told_a_later_time() -> None:
    throughput = measured(10)
    told = [throughput.come_back(ahead=0, weight=5) for _ in range(10)]
    assert told == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_what_has_been_told_passes() -> None:
    throughput = measured(10)
    for _ in range(10):
        throughput.come_back(ahead=0, weight=5)
    throughput.pass_time(24.0, busy=True, full=True, finished=40)
    assert throughput.come_back(ahead=0, weight=5) == 2


def test_nobody_is_told_more_than_a_minute_and_that_is_not_for_ever() -> None:
    throughput = measured(1)
    assert [throughput.come_back(ahead=0, weight=64) for _ in range(1000)][-1] == LONGEST_SECONDS
    throughput.pass_time(20.0 + LONGEST_SECONDS, busy=True, full=True, finished=LONGEST_SECONDS)
    assert throughput.come_back(ahead=0, weight=1) < 5


def test_a_caller_waits_for_its_own_candidates() -> None:
    throughput = measured(10)
    assert throughput.come_back_to_own(missing=8, own=8, everybodys=40) == 4
    assert throughput.come_back_to_own(missing=8, own=40, everybodys=40) == 1


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans(), st.booleans(), st.integers(0, 500)), max_size=30))
def test_whatever_happens_the_time_told_is_a_number_of_seconds(
    history: list[tuple[float, bool, bool, int]],
) -> None:
    throughput, now = Throughput(0.0, candidates=16), 0.0
    for seconds, busy, full, finished in history:
        now += seconds
        throughput.pass_time(now, busy=busy, full=full, finished=finished)
        assert throughput.rate is None or math.isfinite(throughput.rate)
        assert 1 <= throughput.come_back(finished, 8.0) <= LONGEST_SECONDS
        assert 1 <= throughput.come_back_to_own(1, 1, 1 + finished) <= LONGEST_SECONDS
