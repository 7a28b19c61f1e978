"""Errors and their HTTP answers."""

import json

import pytest
from selfjudge_service.protocol.errors import (
    ApiError,
    BodyTooLargeError,
    DeadlineError,
    InvalidFieldError,
    UnauthorizedError,
    UnknownModelError,
    api_error_response,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ApiError("m"), 400),
        (InvalidFieldError("f", "must be", 1), 400),
        (UnauthorizedError("m"), 401),
        (UnknownModelError("m"), 404),
        (DeadlineError("m"), 408),
        (BodyTooLargeError(9), 413),
    ],
)
def test_every_error_has_openais_shape_and_its_status(error: ApiError, status: int) -> None:
    response = api_error_response(error)
    body = json.loads(bytes(response.body))
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert body == {"error": {"message": error.message, "type": error.type, "param": error.param, "code": status}}


def test_an_invalid_field_is_named_with_what_was_wanted_and_what_came() -> None:
    error = InvalidFieldError("best_of_n", "must be an integer from 1 to 64", 65)
    assert (error.message, error.param) == ("best_of_n: must be an integer from 1 to 64, got 65", "best_of_n")


def test_a_long_value_is_not_echoed_whole() -> None:
    assert len(InvalidFieldError("prompt", "must be short", "x" * 10_000).message) < 200


def test_the_field_of_an_object_is_named_by_its_whole_path() -> None:
    error = InvalidFieldError("template", "must be known", "x").inside("self_rejection")
    assert error.param == "self_rejection.template"
    assert error.message.startswith("self_rejection.template: must be known")


def test_a_missing_key_names_the_scheme() -> None:
    assert api_error_response(UnauthorizedError("m")).headers["www-authenticate"] == "Bearer"


def test_a_deadline_tells_clients_not_to_retry() -> None:
    assert api_error_response(DeadlineError("m")).headers["x-should-retry"] == "false"


def test_a_message_may_quote_a_lone_surrogate() -> None:
    body = json.loads(bytes(api_error_response(ApiError("no model \ud800")).body))
    assert body["error"]["message"] == "no model \ud800"
