"""Says what is wrong with a request body in the caller's words: the field as written and what would be accepted.

Pydantic lists every alternative of every union that failed, under names that callers never wrote. Parts that it checks
only when they are used it places relative to themselves: those are looked for in the body.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi.exceptions import RequestValidationError

from selfjudge_service.protocol.errors import ApiError, InvalidFieldError

_Loc = tuple[int | str, ...]
_Problem = Mapping[str, Any]

_BODY: Final = "body"
# Pydantic says these in Python's words.
_IN_JSONS_WORDS: Final = dict.fromkeys(
    ("dict_type", "model_type", "model_attributes_type", "dataclass_type"), "must be an object"
)


def first_problem(error: RequestValidationError) -> ApiError:
    """The error to answer with: the first one; where a union failed, of the alternative that came closest."""
    errors = error.errors()
    if not errors or isinstance(errors[0], str):
        return ApiError(errors[0] if errors else "the request could not be read")
    if errors[0]["type"] == "json_invalid":
        position = errors[0]["loc"][-1]
        return ApiError(f"the body is not valid JSON: {errors[0]['ctx']['error']} at character {position}", _BODY)
    source, *_ = errors[0]["loc"]
    if source != _BODY:
        # Of the path, the query or the headers, whose fields hold no others.
        return _told(errors[0], str(errors[0]["loc"][-1]), missing=errors[0]["type"] == "missing")
    return problem_with([{**problem, "loc": problem["loc"][1:]} for problem in errors], error.body)


def problem_with(errors: Sequence[_Problem], body: object) -> ApiError:
    """The error to answer with, of all that pydantic has to say about a body or a part of one."""
    problem = _closest(errors, 0, body)
    missing = problem["type"] == "missing"
    field = ".".join(map(str, [*_place_of(problem, body), *(problem["loc"][-1:] if missing else ())])) or _BODY
    return _told(problem, field, missing=missing)


def _told(problem: _Problem, field: str, *, missing: bool) -> ApiError:
    message = _IN_JSONS_WORDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    if missing or field == _BODY:
        return ApiError(f"{field}: {message}", field)
    return InvalidFieldError(field, message, problem.get("input"))


def _closest(problems: Sequence[_Problem], walked: int, body: object) -> _Problem:
    """The first problem, or of the alternatives of the union it is part of, that of the one which came closest.

    Args:
        problems: all of the same beginning.
        walked: the length of that beginning, in parts of their locations.
        body: what stands there.
    """
    loc = _inner(problems[0])
    walked, body = _walk(loc, walked, body)
    if walked == len(loc):
        return problems[0]
    alternatives: dict[int | str, list[_Problem]] = defaultdict(list)
    for problem in problems:
        other = _inner(problem)
        if len(other) > walked and other[:walked] == loc[:walked]:
            alternatives[other[walked]].append(problem)

    def distance(problems: Sequence[_Problem]) -> tuple[int, int]:
        """The alternative that was meant fails further inside, and at fewer places."""
        reached = min(
            _walk(_inner(problem), walked + 1, body)[0] + (problem["type"] == "missing") for problem in problems
        )
        return -reached, len(problems)

    return _closest(min(alternatives.values(), key=distance), walked + 1, body)


def _inner(problem: _Problem) -> _Loc:
    """Where a problem is, without the names of validators that wrap models, nor of a missing field."""
    loc: _Loc = problem["loc"][:-1] if problem["type"] == "missing" else problem["loc"]
    return tuple(part for part in loc if not str(part).startswith("function-"))


def _walk(loc: _Loc, walked: int, body: object) -> tuple[int, object]:
    """How far a location leads into a body from where it has been walked to, and what stands there."""
    while walked < len(loc) and _leads(loc[walked], body):
        body = body[loc[walked]]  # type: ignore[index]  # _leads has looked
        walked += 1
    return walked, body


def _place_of(problem: _Problem, body: object) -> Sequence[int | str]:
    """The parts of a problem's location that the caller wrote."""
    path: list[int | str] = []
    here = body
    for part in _inner(problem):
        if _leads(part, here):
            path.append(part)
            here = here[part]  # type: ignore[index]  # _leads has looked
    wrong = problem.get("input")
    if here is wrong or here == wrong:
        return path
    return _found(wrong, body) or path


def _found(wanted: object, body: object) -> list[int | str] | None:
    """Where something stands in a body."""
    if body is wanted or (type(body) is type(wanted) and body == wanted):
        return []
    inside = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in inside:
        if (path := _found(wanted, value)) is not None:
            return [key, *path]
    return None


def _leads(part: int | str, body: object) -> bool:
    if isinstance(body, list):
        return isinstance(part, int) and part < len(body)
    return isinstance(body, dict) and part in body
