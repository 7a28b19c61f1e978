"""Requests that leave the sampler nothing to choose, and those that do."""

from typing import Any

import pytest
from selfjudge_service.best_of_n.plan import why_equal
from selfjudge_service.protocol.requests import ChatRequest

from tests.service.fakes import QUESTION


@pytest.mark.parametrize(
    ("fields", "defaults", "why"),
    [
        ({}, {}, None),
        ({"temperature": 0}, {}, "temperature is 0"),
        ({"temperature": 9e-6}, {}, "temperature is 9e-06"),
        ({"temperature": 1e-5}, {}, None),
        ({"temperature": -1}, {}, None),
        ({"temperature": None}, {"temperature": 0.0}, "temperature is 0"),
        ({"temperature": 0.5}, {"temperature": 0.0}, None),
        ({"top_k": 1}, {}, "top_k is 1"),
        ({"top_k": 2}, {}, None),
        ({"top_k": 0}, {"top_k": 1}, None),
        ({}, {"top_k": 1}, "top_k is 1"),
        ({"top_p": 1e-9}, {}, "top_p is 1e-09"),
        ({"top_p": 0.1}, {}, None),
        ({"min_p": 1}, {}, "min_p is 1"),
        ({"min_p": 0.5}, {}, None),
    ],
)
def test_what_makes_candidates_equal_is_named(
    fields: dict[str, Any], defaults: dict[str, float], why: str | None
) -> None:
    assert why_equal(ChatRequest.model_validate({"messages": QUESTION, **fields}), defaults) == why
