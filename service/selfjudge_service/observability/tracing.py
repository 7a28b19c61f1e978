"""Spans of a selection, sent to an OTLP endpoint over HTTP if one is set; without one OpenTelemetry's no-op tracer.

    request                 one per HTTP request; its parent is the caller's, by W3C traceparent
    +-- sample              one per candidate
    +-- score               one per candidate that is scored
    +-- round               from the first match of a round to its last verdict
        +-- match           one per pairing

Spans carry numbers and names, never text of prompts or answers.

The endpoint is ours (`otlp_endpoint`) or OpenTelemetry's own: OTEL_EXPORTER_OTLP_ENDPOINT or, unless vLLM traces as
well, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, for there vLLM writes its own endpoint. OpenTelemetry's other variables
(headers, resource attributes, sampler, batches) hold. The provider is ours alone, so that vLLM keeps its own.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Self

from opentelemetry.context import Context, get_current
from opentelemetry.trace import (
    NoOpTracer,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

_PROTOCOL: Final = "http/protobuf"

_tracer: Tracer = NoOpTracer()


def traces_url(otlp_endpoint: str | None, *, vllm_traces: bool) -> str | None:
    """Where to send spans, None if no endpoint is set.

    Args:
        otlp_endpoint: a collector's base address, such as http://collector:4318.
        vllm_traces: whether vLLM has an endpoint for traces of its own.

    Raises:
        ValueError: if OpenTelemetry's variables name an endpoint and another protocol than OTLP over HTTP.
    """
    if otlp_endpoint:
        return _of_base(otlp_endpoint)
    base, traces = (os.environ.get(f"OTEL_EXPORTER_OTLP_{kind}ENDPOINT") for kind in ("", "TRACES_"))
    url = (None if vllm_traces else traces) or (_of_base(base) if base else None)
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if url and protocol not in (None, _PROTOCOL):
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL: selfjudge exports traces by {_PROTOCOL}, got {protocol!r}")
    return url


def start_tracing(otlp_endpoint: str | None, *, vllm_traces: bool) -> None:
    """Sends spans to the endpoint that is set, in batches, until the process ends; does nothing if none is set.

    Arguments and errors are those of `traces_url`.
    """
    if url := traces_url(otlp_endpoint, vllm_traces=vllm_traces):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        process_with(BatchSpanProcessor(OTLPSpanExporter(url)))


def process_with(processor: "SpanProcessor") -> "TracerProvider":
    """Hands spans to a processor from here on."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  the SDK is for servers that trace
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "selfjudge"}
    provider = TracerProvider(resource=Resource.create({**named, "service.version": version("selfjudge")}))
    provider.add_span_processor(processor)
    trace_with(provider.get_tracer("selfjudge"))
    return provider


def trace_with(tracer: Tracer) -> None:
    """Starts spans by this tracer from here on."""
    global _tracer  # noqa: PLW0603  tracing is a matter of the process, like logging
    _tracer = tracer


def trace_id() -> str | None:
    """The current trace's id in hexadecimal; its caller's where nothing is recorded, None where it has none."""
    current = get_current_span().get_span_context()
    return format_trace_id(current.trace_id) if current.is_valid else None


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, AttributeValue],
    inside: Context | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    """A span inside of the current one, or of that of a context; its attributes get the prefix `selfjudge.`."""
    # OpenTelemetry would record messages of exceptions, which quote requests.
    with _tracer.start_as_current_span(
        name, inside, kind, _prefixed(attributes), record_exception=False, set_status_on_exception=False
    ) as started:
        try:
            yield started
        except BaseException as error:
            started.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def mark(marked: Span, **attributes: AttributeValue) -> None:
    """Adds attributes to a span, with the prefix `selfjudge.`."""
    marked.set_attributes(_prefixed(attributes))


def request_span(headers: Mapping[str, str]) -> AbstractContextManager[Span]:
    """The span of an HTTP request, inside of the one that its headers name."""
    return span("request", {}, TraceContextTextMapPropagator().extract(headers), SpanKind.SERVER)


class Rounds:
    """The rounds of one tournament that begins, as spans inside of the current one."""

    def __init__(self) -> None:
        self._parent = get_current()
        self._spans: dict[tuple[int, int], Span] = {}
        self._ends: dict[tuple[int, int], int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for key, one in self._spans.items():
            one.end(self._ends.get(key))

    @contextmanager
    def match(self, place: int, round_: int, **attributes: AttributeValue) -> Iterator[Span]:
        """A match, inside of its round."""
        key, where = (place, round_), {"place": place, "round": round_}
        if key not in self._spans:
            self._spans[key] = _tracer.start_span("round", self._parent, attributes=_prefixed(where))
        try:
            with span("match", {**where, **attributes}, set_span_in_context(self._spans[key], self._parent)) as match:
                yield match
        finally:
            self._ends[key] = time.time_ns()


def _prefixed(attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    return {f"selfjudge.{name}": value for name, value in attributes.items()}


def _of_base(address: str) -> str:
    return f"{address.rstrip('/')}/v1/traces"
