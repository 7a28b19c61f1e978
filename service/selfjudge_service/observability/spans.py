"""Spans of a tournament, for whoever turned tracing on; else nothing is imported, recorded or kept.

    request                 one per HTTP request; its parent is the caller's, by W3C traceparent
    +-- sample              one per candidate
    +-- round               from the first match of a round to its last verdict
        +-- match           one per pairing

Spans carry numbers and names, never text of prompts or answers. Where spans go is `tracing`'s to say.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, Tracer
    from opentelemetry.util.types import AttributeValue

_tracer: "Tracer | None" = None


class Marked(Protocol):
    """A span under way."""

    def set(self, **attributes: "AttributeValue") -> None:
        """Adds attributes, which get the prefix `selfjudge.`."""
        ...


class Rounds(Protocol):
    """The rounds of one tournament."""

    def match(self, place: int, round_: int, **attributes: "AttributeValue") -> AbstractContextManager[Marked]:
        """A match, inside of its round."""
        ...


class _Nothing:
    """What stands for spans where nobody traces."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set(self, **_: "AttributeValue") -> None:
        pass

    def match(self, *_: int, **__: "AttributeValue") -> "_Nothing":
        return self


_NOTHING = _Nothing()


def trace_with(tracer: "Tracer | None") -> None:
    """Records spans from here on, or with None no longer."""
    global _tracer  # noqa: PLW0603  tracing is a matter of the process, like logging
    _tracer = tracer


def span(name: str, **attributes: "AttributeValue") -> AbstractContextManager[Marked]:
    """A span inside of the current one."""
    return _NOTHING if _tracer is None else _recorded(_tracer, name, attributes)


def request_span(headers: Mapping[str, str]) -> AbstractContextManager[Marked]:
    """The span of an HTTP request, inside of the one that its headers name."""
    if _tracer is None:
        return _NOTHING
    from opentelemetry.trace import SpanKind  # noqa: PLC0415  only who traces needs it
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    caller = TraceContextTextMapPropagator().extract(headers)
    return _recorded(_tracer, "request", {}, caller, SpanKind.SERVER)


def rounds() -> AbstractContextManager[Rounds]:
    """The rounds of a tournament that begins, as spans inside of the current one."""
    return _NOTHING if _tracer is None else _recorded_rounds(_tracer)


def trace_id() -> str | None:
    """The current trace's id in hexadecimal; None where nobody traces."""
    if _tracer is None:
        return None
    from opentelemetry.trace import format_trace_id, get_current_span  # noqa: PLC0415  only who traces needs it

    current = get_current_span().get_span_context()
    return format_trace_id(current.trace_id) if current.is_valid else None


class _Recorded:
    def __init__(self, recorded: "Span") -> None:
        self._span = recorded

    def set(self, **attributes: "AttributeValue") -> None:
        self._span.set_attributes(_prefixed(attributes))


class _RecordedRounds:
    def __init__(self, tracer: "Tracer") -> None:
        from opentelemetry.context import get_current  # noqa: PLC0415  only who traces needs it

        self._tracer = tracer
        self._parent = get_current()
        self._spans: dict[tuple[int, int], Span] = {}
        self._ends: dict[tuple[int, int], int] = {}

    @contextmanager
    def match(self, place: int, round_: int, **attributes: "AttributeValue") -> Iterator[Marked]:
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415  only who traces needs it

        key, where = (place, round_), {"place": place, "round": round_}
        if key not in self._spans:
            self._spans[key] = self._tracer.start_span("round", self._parent, attributes=_prefixed(where))
        inside = set_span_in_context(self._spans[key], self._parent)
        try:
            with _recorded(self._tracer, "match", {**where, **attributes}, inside) as match:
                yield match
        finally:
            self._ends[key] = time.time_ns()

    def end(self) -> None:
        for key, one in self._spans.items():
            one.end(self._ends.get(key))


@contextmanager
def _recorded_rounds(tracer: "Tracer") -> Iterator[_RecordedRounds]:
    recorded = _RecordedRounds(tracer)
    try:
        yield recorded
    finally:
        recorded.end()


@contextmanager
def _recorded(
    tracer: "Tracer",
    name: str,
    attributes: "Mapping[str, AttributeValue]",
    context: "Context | None" = None,
    kind: "SpanKind | None" = None,
) -> Iterator[_Recorded]:
    from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415  only who traces needs it

    # Not by OpenTelemetry's own hand: messages of exceptions quote requests.
    with tracer.start_as_current_span(
        name,
        context,
        kind or SpanKind.INTERNAL,
        _prefixed(attributes),
        record_exception=False,
        set_status_on_exception=False,
    ) as recorded:
        try:
            yield _Recorded(recorded)
        except BaseException as error:
            recorded.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def _prefixed(attributes: "Mapping[str, AttributeValue]") -> "dict[str, AttributeValue]":
    return {f"selfjudge.{name}": value for name, value in attributes.items()}
