"""The request that the running code belongs to: its id, and what its log line will tell.

Both follow a request into every task it starts. Nothing here writes; `request_log` does when the request ends.
"""

from contextvars import ContextVar
from typing import Any
from uuid import uuid4


class Request:
    """A request under way.

    Args:
        request_id: names it in logs, traces, the engine, and the answer's headers.
    """

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.noted: dict[str, str | int] = {}
        """Facts for the log line and the request's span."""
        self.texts: dict[str, Any] = {}
        """What was said, for the log line of servers that log it."""


_CURRENT: ContextVar[Request | None] = ContextVar("request", default=None)


def begin(request_id: str) -> Request:
    """Makes what runs in this context from here on belong to a new request."""
    request = Request(request_id)
    _CURRENT.set(request)
    return request


def note(**facts: str | int) -> None:
    """Adds to the log line and the span of the current request; does nothing outside of requests."""
    if request := _CURRENT.get():
        request.noted.update(facts)


def note_text(**texts: Any) -> None:  # noqa: ANN401  whatever JSON can hold
    """Adds what was said to the log line of the current request; call it only where the operator asked for that."""
    if request := _CURRENT.get():
        request.texts.update(texts)


def request_id() -> str | None:
    """The id of the current request, None outside of requests."""
    request = _CURRENT.get()
    return request.request_id if request else None


def engine_id() -> str:
    """A fresh id for work in the engine, which begins with the current request's."""
    unique = uuid4().hex
    request = _CURRENT.get()
    return f"{request.request_id}-{unique[:12]}" if request else unique
