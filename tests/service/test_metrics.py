"""How requests are counted."""

import asyncio
from http import HTTPStatus

import pytest
from starlette.exceptions import HTTPException
from vllm.exceptions import VLLMValidationError
from vllm.v1.engine.exceptions import EngineDeadError

from service.errors import ApiError, UnknownModelError
from service.metrics import CLIENT_CLOSED_REQUEST, count_request, outcome_of
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
