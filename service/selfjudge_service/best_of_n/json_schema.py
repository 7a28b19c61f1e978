"""Whether a value fits a JSON schema that a caller sent, in bounded time and without reading anything from elsewhere.

A value counts as fitting where time runs out, a reference leads elsewhere, or the schema itself is wrong. Schemas that
use one of `_UNCHECKED` aren't checked, since the library matches their patterns without a limit of time. `format` isn't
checked either, as JSON Schema has it by default.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import cached_property, lru_cache
from typing import Any, Final, TypeAlias

import regex  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]
from jsonschema.validators import extend, validator_for  # type: ignore[import-untyped]
from referencing import Registry

SECONDS: Final = 0.1
"""Longest time that a value is checked."""

_UNCHECKED: Final = frozenset({"patternProperties", "unevaluatedItems", "unevaluatedProperties"})
_deadline: ContextVar[float] = ContextVar("deadline")

# The library has no types. A keyword takes a validator, its own value, the instance and the schema around it.
_Validator: TypeAlias = Any
_Keyword: TypeAlias = Callable[[_Validator, Any, Any, Any], Iterator[Exception] | None]


class _OutOfTimeError(Exception):
    """The value could not be checked in time."""


class Schema:
    """A schema, prepared when the first value is checked. May be shared by threads."""

    def __init__(self, schema: object) -> None:
        self._schema = schema

    def misfit(self, value: object) -> str | None:
        """Where a value does not fit, such as "breaks 'required' at $.x"; None where it fits, as far as can be told."""
        _deadline.set(time.monotonic() + SECONDS)
        try:
            error = next(self._validator.iter_errors(value), None)
        except Exception:  # noqa: BLE001  callers send schemas, and the library fails on wrong ones in any way
            return None
        return None if error is None else f"breaks {error.validator!r} at {error.json_path}"

    @cached_property
    def _validator(self) -> _Validator:
        schema = True if _UNCHECKED & {*_keys(self._schema)} else self._schema
        return _timed(validator_for(schema, Draft202012Validator))(_one_dialect(schema), registry=Registry())


def _keys(schema: object) -> Iterator[str]:
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    if isinstance(schema, dict):
        yield from schema
    for part in parts:
        yield from _keys(part)


def _one_dialect(schema: object) -> object:
    """The schema without the names of dialects, by which a part of it would choose another validator than ours."""
    if isinstance(schema, dict):
        return {
            key: _one_dialect(value)
            for key, value in schema.items()
            if not (key == "$schema" and isinstance(value, str))
        }
    return list(map(_one_dialect, schema)) if isinstance(schema, list) else schema


@lru_cache
def _timed(dialect: _Validator) -> _Validator:
    """A validator whose every step looks at the clock, and whose patterns and comparisons take bounded time."""
    keywords = {**dialect.VALIDATORS, "pattern": _pattern, "uniqueItems": _unique_items}
    return extend(dialect, {name: _in_time(keyword) for name, keyword in keywords.items()})


def _in_time(keyword: _Keyword) -> _Keyword:
    def check(validator: _Validator, wanted: object, value: object, schema: object) -> Iterator[Exception]:
        if time.monotonic() > _deadline.get():
            raise _OutOfTimeError
        yield from keyword(validator, wanted, value, schema) or ()

    return check


def _pattern(validator: _Validator, pattern: str, value: object, _schema: object) -> Iterator[Exception]:
    if validator.is_type(value, "string") and not regex.search(pattern, value, timeout=SECONDS):
        yield ValidationError("does not match")


def _unique_items(validator: _Validator, wanted: object, value: list[object], _schema: object) -> Iterator[Exception]:
    if not wanted or not validator.is_type(value, "array"):
        return
    if len({json.dumps(item, sort_keys=True) for item in value}) < len(value):
        yield ValidationError("has equal items")
