"""What new requests are told, and what Prometheus sees of it."""

from prometheus_client import REGISTRY
from selfjudge_service.engine.status import Status


def told(status: Status) -> str | None:
    refusal = status.refusal()
    return refusal.headers["Retry-After"] if refusal else None


def gauges() -> tuple[float | None, float | None]:
    return REGISTRY.get_sample_value("selfjudge_ready"), REGISTRY.get_sample_value("selfjudge_draining")


def test_requests_are_taken_once_the_engine_is_up() -> None:
    status = Status()
    assert (status.ready, told(status), gauges()) == (False, "1", (0, 0))
    status.engine_is_up()
    assert (status.ready, told(status), gauges()) == (True, None, (1, 0))


def test_while_the_engine_is_down_callers_are_told_when_it_will_be_back() -> None:
    status = Status()
    status.engine_is_up()
    status.engine_is_down(7.5)
    assert (status.ready, told(status), gauges()) == (False, "8", (0, 0))


def test_an_engine_that_is_late_is_expected_in_a_second() -> None:
    status = Status()
    status.engine_is_down(-20)
    assert told(status) == "1"


def test_a_server_that_drains_takes_nothing_whatever_its_engine_does() -> None:
    status = Status()
    status.engine_is_up()
    status.drain()
    assert (status.ready, status.draining, gauges()) == (False, True, (0, 1))
    status.engine_is_up()
    assert not status.ready


def test_nobody_is_told_to_wait_for_more_than_a_minute() -> None:
    status = Status()
    status.engine_is_down(600)
    assert told(status) == "60"
