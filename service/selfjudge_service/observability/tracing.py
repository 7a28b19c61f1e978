"""Where spans go: to an OTLP endpoint over HTTP, if one is set. Without one, OpenTelemetry isn't touched.

The endpoint is ours (`otlp_endpoint`) or OpenTelemetry's own: OTEL_EXPORTER_OTLP_ENDPOINT or, unless vLLM traces as
well, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, for there vLLM writes its own endpoint. OpenTelemetry's other variables
(headers, resource attributes, sampler, batches) hold. The provider is ours alone, so that vLLM keeps its own.
"""

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from selfjudge_service.observability.spans import trace_with

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

_PROTOCOL: Final = "http/protobuf"


def traces_url(otlp_endpoint: str | None, *, vllm_traces: bool) -> str | None:
    """Where to send spans, None if nobody wants them.

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
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  only who traces needs it
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "selfjudge"}
    provider = TracerProvider(resource=Resource.create({**named, "service.version": version("selfjudge")}))
    provider.add_span_processor(processor)
    trace_with(provider.get_tracer("selfjudge"))
    return provider


def _of_base(address: str) -> str:
    return f"{address.rstrip('/')}/v1/traces"
