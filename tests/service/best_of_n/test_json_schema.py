"""Schemas that callers send: what fits them, and what hostile ones may cost."""

import time
from typing import Any

import pytest
from selfjudge_service.best_of_n.json_schema import SECONDS, Schema

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "tags": {"type": "array", "uniqueItems": True}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"name": "Ada", "tags": [1, "1", {"a": 1}]}, None),
        ({}, "breaks 'required' at $"),
        ({"name": "ada"}, "breaks 'pattern' at $.name"),
        ({"name": 7}, "breaks 'type' at $.name"),
        ({"name": "Ada", "age": 7}, "breaks 'additionalProperties' at $"),
        ({"name": "Ada", "tags": [{"a": 1, "b": 2}, {"b": 2, "a": 1}]}, "breaks 'uniqueItems' at $.tags"),
        ([], "breaks 'type' at $"),
    ],
)
def test_what_does_not_fit_is_named(value: object, found: str | None) -> None:
    assert Schema(PERSON).misfit(value) == found


def test_a_schema_has_the_dialect_it_names() -> None:
    draft_4 = {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": True}
    assert Schema(draft_4).misfit(1) == "breaks 'minimum' at $"
    assert (
        Schema({"properties": {"$schema": {"const": "x"}}}).misfit({"$schema": "y"}) == "breaks 'const' at $['$schema']"
    )


DOUBLING = {
    "$ref": "#/$defs/d0",
    "$defs": {
        **{f"d{depth}": {"allOf": [{"$ref": f"#/$defs/d{depth + 1}"}] * 2} for depth in range(40)},
        "d40": {"type": "integer"},
    },
}
BACKTRACKING = {"pattern": "^(a|a)+$"}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (DOUBLING, 7),
        (BACKTRACKING, "a" * 40 + "b"),
        (
            {"properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#", **BACKTRACKING}}},
            {"a": "a" * 40 + "b"},
        ),
        ({"patternProperties": {"^(a|a)+$": {}}, "additionalProperties": False}, {"a" * 40 + "b": 1}),
        ({"uniqueItems": True}, [{"a": number} for number in range(20_000)]),
        ({"$ref": "#"}, 7),
        ({"$ref": "http://127.0.0.1:1/elsewhere"}, 7),
        ({"$ref": "file:///etc/passwd"}, 7),
        ({"type": 7}, 7),
        ({"pattern": "("}, "x"),
        (True, 7),
        ("no schema", 7),
    ],
)
def test_what_cannot_be_told_in_time_counts_as_fitting(schema: Any, value: object) -> None:  # noqa: ANN401
    began = time.thread_time()
    assert Schema(schema).misfit(value) is None
    assert time.thread_time() - began < 5 * SECONDS
