"""Refuses fields of ours that vLLM would silently ignore: on routes that select nothing, misspelt, or one level off.

vLLM ignores every field that it doesn't know, so a misspelt `best_of_n` would measure a single sample.
"""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final

from starlette.datastructures import Headers

from selfjudge_service.protocol.errors import ApiError

SELECTING_ROUTE: Final = "/v1/chat/completions"
BEST_OF_N_HEADER: Final = "X-Best-Of-N"

_OURS: Final = ("best_of_n", "self_rejection")
_BY_LETTERS: Final = {"bestofn": "best_of_n", "selfrejection": "self_rejection"}
_HEADER_LETTERS: Final = frozenset({"bestofn", "xbestofn"})
_ALIKE: Final = 0.85
_LONGEST: Final = 2 * max(map(len, _OURS))
# Objects in which Python's OpenAI client, which unpacks its own, and vLLM carry further fields.
_WRAPPERS: Final = ("extra_body", "sampling_params", "vllm_xargs")
# OpenAI's, in legacy completions.
_OPENAIS: Final = "best_of"
# A body may hold a million fields.
_MOST_LOOKED_AT: Final = 200


def refuse_without_selection(path: str, fields: Mapping[str, Any], headers: Headers) -> None:
    """Refuses a request for selection, by field or header, on a route that samples and doesn't select.

    Raises:
        ApiError: naming the field or header, which may be misspelt.
    """
    where = f"works on POST {SELECTING_ROUTE} alone, not on {path}"
    for field in _OURS:
        if fields.get(field) is not None:
            raise ApiError(f"{field}: {where}", field)
    if BEST_OF_N_HEADER in headers:
        raise ApiError(f"{BEST_OF_N_HEADER}: {where}", BEST_OF_N_HEADER)
    refuse_misspelt_header(headers)
    refuse_misspelt(fields, (name for name in fields if name != _OPENAIS))


def refuse_misspelt(fields: Mapping[str, Any], unknown: Iterable[str]) -> None:
    """Refuses misspelt fields of ours in the body of a route that samples.

    Args:
        fields: the body's.
        unknown: names among them that the route doesn't read.

    Raises:
        ApiError: if one of them is meant for ours, or holds ours inside.
    """
    for name in islice(unknown, _MOST_LOOKED_AT):
        if name not in _OURS and fields[name] is not None and (meant := _meant(name)):
            raise ApiError(f"{name}: no such field; did you mean {meant}?", name)
    for wrapper in _WRAPPERS:
        if isinstance(inside := fields.get(wrapper), dict):
            for name in islice(inside, _MOST_LOOKED_AT):
                if meant := _meant(name):
                    raise ApiError(
                        f"{wrapper}.{name}: {meant} belongs at the top level of the body", f"{wrapper}.{name}"
                    )


def refuse_outside(fields: Mapping[str, Any], unknown: Collection[str], options: Iterable[str]) -> None:
    """Refuses options of `self_rejection` that stand beside it in the body of a chat request.

    Args:
        fields: the body's.
        unknown: names among them that the route doesn't read.
        options: names that are read inside of `self_rejection`.

    Raises:
        ApiError: naming the first.
    """
    for name in options:
        if name in unknown and fields[name] is not None:
            raise ApiError(f"{name}: belongs inside of self_rejection", name)


def refuse_misspelt_header(headers: Headers) -> None:
    """Refuses headers that are meant for ours, on a route that samples.

    Raises:
        ApiError: naming the first.
    """
    for name in headers:
        if len(name) <= _LONGEST and name != BEST_OF_N_HEADER.lower() and _letters(name) in _HEADER_LETTERS:
            raise ApiError(f"{name}: no such header; did you mean {BEST_OF_N_HEADER}?", name)


def _meant(name: str) -> str | None:
    """Which of our fields a name stands for."""
    if len(name) > _LONGEST:
        return None
    close = get_close_matches(_letters(name), _BY_LETTERS, n=1, cutoff=_ALIKE)
    return _BY_LETTERS[close[0]] if close else None


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
