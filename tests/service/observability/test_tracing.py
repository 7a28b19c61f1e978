"""Spans as a collector gets them, and nothing where nobody traces."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracer, SpanKind, StatusCode
from selfjudge_service.observability.tracing import (
    Rounds,
    mark,
    process_with,
    request_span,
    span,
    start_tracing,
    trace_id,
    trace_with,
    traces_url,
)

from tests.service.fakes import QUESTION, ScriptedChat, make_world

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
)


@pytest.fixture(autouse=True)
def no_endpoint_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENDPOINTS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = process_with(SimpleSpanProcessor(exporter))
    yield exporter
    trace_with(NoOpTracer())
    provider.shutdown()


def attributes(one: ReadableSpan) -> dict[str, object]:
    return {name.removeprefix("selfjudge."): value for name, value in (one.attributes or {}).items()}


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [one for one in exporter.get_finished_spans() if one.name == name]


def own(one: ReadableSpan) -> int:
    assert one.context
    return int(one.context.span_id)


def parent(one: ReadableSpan) -> int | None:
    return one.parent.span_id if one.parent else None


async def test_a_tournament_is_one_trace_inside_of_its_callers(exported: InMemorySpanExporter) -> None:
    world = make_world(ScriptedChat(("answer 1", "answer 2", "answer 3", "answer 3")))
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-Id": "abc"}
    async with world.client() as client:
        body = {"messages": QUESTION, "best_of_n": 4, "self_rejection": {"seed": 1, "include": ["bracket"]}}
        answer = await client.post("/v1/chat/completions", json=body, headers=headers)
    report = answer.json()["self_rejection"]

    (request,) = named(exported, "request")
    assert request.kind == SpanKind.SERVER
    assert parent(request) == int(CALLER, 16)
    assert {one.context.trace_id for one in exported.get_finished_spans() if one.context} == {int(TRACE, 16)}
    facts = attributes(request)
    assert (
        facts.items() >= {"request_id": "abc", "route": "/v1/chat/completions", "outcome": "ok", "best_of_n": 4}.items()
    )

    samples = named(exported, "sample")
    assert {attributes(one)["candidate"] for one in samples} == {0, 1, 2, 3}
    assert len(samples) == 4
    assert {attributes(one)["tokens"] for one in samples} == {4}
    assert {parent(one) for one in samples} == {own(request)}

    matches = {(attributes(one)["round"], attributes(one)["first"]): one for one in named(exported, "match")}
    judged = [record for record in report["bracket"] if record["reason"] == "judged"]
    assert len(matches) == len(judged) >= 2
    of_rounds = {attributes(one)["round"]: one for one in named(exported, "round")}
    for record in judged:
        match = matches[record["round"], record["first"]]
        assert attributes(match)["second"] == record["second"]
        assert attributes(match)["probability"] == pytest.approx(record["probability_a"])
        assert attributes(match)["winner"] == record["outcome"]
        tokens, cached = attributes(match)["tokens"], attributes(match)["cached_tokens"]
        assert isinstance(tokens, int)
        assert isinstance(cached, int)
        assert 0 < cached < tokens
        round_ = of_rounds[record["round"]]
        assert parent(match) == own(round_)
        assert parent(round_) == own(request)
        assert round_.start_time <= match.start_time <= match.end_time <= round_.end_time  # type: ignore[operator]


async def test_spans_hold_no_text(exported: InMemorySpanExporter) -> None:
    world = make_world(ScriptedChat(("secret answer 1", ValueError("secret 2"))))
    async with world.client() as client:
        await client.post(
            "/v1/chat/completions",
            json={"messages": [{"role": "user", "content": "secret question"}], "best_of_n": 2},
        )
    spans = exported.get_finished_spans()
    assert len(spans) >= 3
    assert not any("secret" in one.to_json() for one in spans)
    failed = [one for one in named(exported, "sample") if one.status.status_code == StatusCode.ERROR]
    assert [one.status.description for one in failed] == ["SampleError"]


def test_rounds_end_with_their_last_match(exported: InMemorySpanExporter) -> None:
    with Rounds() as result:
        with result.match(1, 1):
            pass
        with result.match(1, 2), result.match(1, 1):
            pass
        with pytest.raises(KeyError), result.match(2, 2):
            raise KeyError
    spans = {(attributes(one)["place"], attributes(one)["round"]): one for one in named(exported, "round")}
    assert set(spans) == {(1, 1), (1, 2), (2, 2)}
    assert spans[1, 1].end_time <= spans[1, 2].end_time <= spans[2, 2].end_time  # type: ignore[operator]
    (failed,) = [one for one in named(exported, "match") if one.status.status_code == StatusCode.ERROR]
    assert failed.status.description == "KeyError"


def test_the_current_trace_has_an_id(exported: InMemorySpanExporter) -> None:
    assert trace_id() is None
    with request_span({"traceparent": f"00-{TRACE}-{CALLER}-01"}):
        assert trace_id() == TRACE


@pytest.mark.parametrize("header", ["", "nonsense", f"00-{'0' * 32}-{CALLER}-01", f"00-{TRACE}-{CALLER}-01" * 2])
def test_a_broken_traceparent_begins_a_trace_of_its_own(header: str, exported: InMemorySpanExporter) -> None:
    with request_span({"traceparent": header}):
        assert trace_id() not in (None, TRACE)


def test_without_an_endpoint_nothing_is_recorded_and_the_callers_trace_is_known_by_its_id() -> None:
    start_tracing(None, vllm_traces=False)
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    with request_span(headers) as request, span("sample", {"candidate": 1}) as one, Rounds() as result:
        mark(one, tokens=1)
        with result.match(1, 1) as match:
            assert not any(each.is_recording() for each in (request, one, match))
        assert trace_id() == TRACE
    assert trace_id() is None


@pytest.mark.parametrize(
    ("ours", "environment", "vllm_traces", "url"),
    [
        (None, {}, False, None),
        ("http://c:4318", {}, False, "http://c:4318/v1/traces"),
        ("http://c:4318/", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, True, "http://c:4318/v1/traces"),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://e:4318"}, False, "http://e:4318/v1/traces"),
        (None, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/x"}, False, "http://t/x"),
        (None, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://vllms:4317"}, True, None),
        (
            None,
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://vllms:4317", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://e"},
            True,
            "http://e/v1/traces",
        ),
    ],
)
def test_where_spans_go(
    ours: str | None,
    environment: dict[str, str],
    vllm_traces: bool,
    url: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert traces_url(ours, vllm_traces=vllm_traces) == url


def test_another_protocol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    start_tracing(None, vllm_traces=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://e:4317")
    with pytest.raises(ValueError, match="http/protobuf, got 'grpc'"):
        start_tracing(None, vllm_traces=False)
