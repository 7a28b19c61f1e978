"""Says what is wrong with a request body in the caller's words: the field as written and what would be accepted.

Pydantic lists every alternative of every union that failed, under names of its own; callers wrote none of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError

from service.errors import ApiError, InvalidFieldError

_Loc = tuple[int | str, ...]
_Problem = Mapping[str, Any]


def first_problem(error: RequestValidationError) -> ApiError:
    """The error to answer with: the first one; where a union failed, of the alternative that came closest."""
    errors = error.errors()
    if not errors or isinstance(errors[0], str):
        return ApiError(errors[0] if errors else "the request could not be read")
    if errors[0]["type"] == "json_invalid":
        position = errors[0]["loc"][-1]
        return ApiError(f"the body is not valid JSON: {errors[0]['ctx']['error']} at character {position}", "body")
    problem = _closest(errors, error.body)
    missing = [str(problem["loc"][-1])] if problem["type"] == "missing" else []
    field = ".".join([*map(str, _written(_inner(problem), error.body)), *missing]) or "body"
    message = problem["msg"].removeprefix("Value error, ")
    if missing or field == "body":
        return ApiError(f"{field}: {message}", field)
    return InvalidFieldError(field, message, problem.get("input"))


def _closest(errors: Sequence[_Problem], body: object) -> _Problem:
    """The first problem, or of the alternatives of the union it is part of, the one with the fewest problems."""
    prefix, alternative = _fork(errors[0], body)
    if alternative is None:
        return errors[0]
    alternatives: dict[int | str, list[_Problem]] = defaultdict(list)
    for problem in errors:
        where, name = _fork(problem, body)
        if name is not None and where == prefix:
            alternatives[name].append(problem)
    return min(alternatives.values(), key=len)[0]


def _inner(problem: _Problem) -> _Loc:
    """Where a problem is inside the body, without the names of validators that wrap models, nor of a missing field."""
    loc: _Loc = problem["loc"][:-1] if problem["type"] == "missing" else problem["loc"]
    return tuple(part for part in loc[1:] if not str(part).startswith("function-"))


def _fork(problem: _Problem, body: object) -> tuple[_Loc, int | str | None]:
    """How far into the body a problem's location leads, and the name of the union's alternative behind, if any."""
    loc = _inner(problem)
    for index, part in enumerate(loc):
        if not _leads(part, body):
            return loc[:index], part
        body = body[part]  # type: ignore[index]  # _leads has looked
    return loc, None


def _written(loc: _Loc, body: object) -> list[int | str]:
    """The parts of a location that the caller wrote."""
    path = []
    for part in loc:
        if _leads(part, body):
            path.append(part)
            body = body[part]  # type: ignore[index]  # _leads has looked
    return path


def _leads(part: int | str, body: object) -> bool:
    if isinstance(body, list):
        return isinstance(part, int) and part < len(body)
    return isinstance(body, dict) and part in body
