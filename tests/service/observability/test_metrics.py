"""How requests are counted, and what tells of the judge's health."""

import asyncio
from http import HTTPStatus
from math import log, log2

import pytest
from selfjudge_service.observability import metrics
from selfjudge_service.observability.metrics import CLIENT_CLOSED_REQUEST, count_request, outcome_of
from selfjudge_service.protocol.errors import ApiError, UnknownModelError
from starlette.exceptions import HTTPException
from vllm.exceptions import VLLMValidationError
from vllm.v1.engine.exceptions import EngineDeadError

from selfjudge import Comparison, PrincipleVerdict, Reading
from tests.service.conftest import Counter


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "ok"),
        (204, "ok"),
        (400, "client_error"),
        (404, "client_error"),
        (CLIENT_CLOSED_REQUEST, "cancelled"),
        (500, "server_error"),
        (503, "server_error"),
    ],
)
def test_a_status_has_an_outcome(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ApiError("m"), "client_error"),
        (UnknownModelError("m"), "client_error"),
        (HTTPException(HTTPStatus.BAD_REQUEST), "client_error"),
        (VLLMValidationError("m"), "client_error"),
        (ValueError("m"), "client_error"),
        (EngineDeadError(), "server_error"),
        (KeyError("m"), "server_error"),
        (asyncio.CancelledError(), "cancelled"),
        (GeneratorExit(), "cancelled"),
    ],
)
def test_an_exception_is_counted_by_what_it_is_answered_with(
    error: BaseException, outcome: str, counted: Counter
) -> None:
    with pytest.raises(type(error)), count_request("/test"):
        raise error
    assert counted("selfjudge_requests_total", route="/test", outcome=outcome) == 1
    assert counted("selfjudge_requests_total") == 1


def test_an_end_without_exception_is_counted_as_set(counted: Counter) -> None:
    with count_request("/test"):
        pass
    with count_request("/test") as counting:
        counting.outcome = "client_error"
    assert counted("selfjudge_requests_total", route="/test", outcome="ok") == 1
    assert counted("selfjudge_requests_total", route="/test", outcome="client_error") == 1


def judgment(of_first: float, *, at_a: float | None = None) -> PrincipleVerdict:
    """A judge that says P(first is better), and another thing where the first stands at A if told so."""
    first_at_a = of_first if at_a is None else at_a
    return PrincipleVerdict(
        None, Reading(log(first_at_a), log(1 - first_at_a)), Reading(log(1 - of_first), log(of_first))
    )


def slope(counted: Counter) -> float:
    """As docs/operations.md has it."""
    towards_longer = counted("selfjudge_length_pull_total", towards="longer")
    towards_shorter = counted("selfjudge_length_pull_total", towards="shorter")
    return (towards_longer - towards_shorter) / counted("selfjudge_length_spread_total")


def texts(first: int, second: int) -> Comparison:
    """Two responses of so many characters."""
    return Comparison("p", "x" * first, "y" * second)


@pytest.mark.parametrize("per_doubling", [-0.1, 0.0, 0.05])
def test_the_length_slope_is_what_the_judge_does_per_doubling(per_doubling: float, counted: Counter) -> None:
    for first, second in [(7, 7), (15, 7), (3, 31), (127, 15), (63, 127)]:
        ratio = log2((first + 1) / (second + 1))
        metrics.observe_judgment(judgment(0.5 + per_doubling * ratio), texts(first, second))
    assert slope(counted) == pytest.approx(per_doubling)


def test_the_length_slope_does_not_depend_on_which_response_comes_first(counted: Counter) -> None:
    metrics.observe_judgment(judgment(0.9), texts(40, 3))
    one = slope(counted)
    metrics.observe_judgment(judgment(0.1), texts(3, 40))
    assert slope(counted) == pytest.approx(one)


def test_an_empty_response_has_a_length_too(counted: Counter) -> None:
    metrics.observe_judgment(judgment(0.2), texts(0, 3))
    assert counted("selfjudge_length_pull_total", towards="longer") == pytest.approx(2 * 0.3)


@pytest.mark.parametrize(
    ("one", "confident", "inconsistent"),
    [(judgment(0.9), 1, 0), (judgment(0.2), 1, 0), (judgment(0.6), 0, 0), (judgment(0.1, at_a=0.9), 0, 1)],
    ids=["clear", "clear for the second", "close", "both orders say A"],
)
def test_confidence_is_of_the_preferred_response_over_both_orders(
    one: PrincipleVerdict, confident: int, inconsistent: int, counted: Counter
) -> None:
    metrics.observe_judgment(one, texts(1, 1))
    assert counted("selfjudge_judgment_confidence_count") == 1
    assert 1 - counted("selfjudge_judgment_confidence_bucket", le="0.75") == confident
    assert counted("selfjudge_inconsistent_judgments_total") == inconsistent


def test_only_the_active_version_is_shown() -> None:
    def shown() -> set[str]:
        return {sample.labels["version"] for sample in next(iter(metrics.ADAPTER_INFO.collect())).samples}

    before = shown()
    metrics.show_active("shown", None, "v1")
    metrics.show_active("shown", "v1", "v2")
    assert shown() - before == {"v2"}
    metrics.show_active("shown", "v2", None)
    assert shown() == before


def test_time_counts_as_work_however_it_ends(counted: Counter) -> None:
    with pytest.raises(KeyError), metrics.working("judging"):
        raise KeyError
    assert counted("selfjudge_work_seconds_total", work="judging") > 0
