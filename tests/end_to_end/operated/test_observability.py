"""One server seen from outside: its log, its traces at a collector, its metrics in a real Prometheus."""

import json
import math
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from typing_extensions import override

from selfjudge.adapters.store import Store
from tests.deploy.prometheus import ALERTS, alerts, program, queries, selectors
from tests.end_to_end.serving import Server, free_port, serving
from tests.service.adapters.files import publish

TRACE = "0af7651916cd43dd8448eb211c80319c"
SECRET = "Sort these letters: QDBA"
ADMIN = {"Authorization": "Bearer admin"}


class Collector(ThreadingHTTPServer):
    """As much of an OTLP collector as receiving takes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receive)
        self.received: list[ExportTraceServiceRequest] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[Span]:
        return [
            span
            for request in self.received
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Receive(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/traces":
            self.server.received.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class Prometheus(NamedTuple):
    """A running Prometheus."""

    url: str

    def get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401  JSON
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return result


@contextmanager
def scraping(server: Server, folder: Path) -> Iterator[Prometheus]:
    """Prometheus with our alerts, looking every second."""
    port = free_port()
    targets = [{"targets": [server.url.removeprefix("http://")]}]
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [{"job_name": "selfjudge", "static_configs": targets}],
    }
    (folder / "prometheus.yaml").write_text(json.dumps(configuration))
    options = {
        "config.file": folder / "prometheus.yaml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "error",
    }
    process = subprocess.Popen([program("prometheus"), *(f"--{name}={value}" for name, value in options.items())])
    prometheus = Prometheus(f"http://127.0.0.1:{port}")
    try:
        until(lambda: httpx.get(f"{prometheus.url}/-/ready").status_code == httpx.codes.OK)
        until(lambda: bool(prometheus.query("selfjudge_ready")))
        yield prometheus
    finally:
        process.terminate()
        process.wait(timeout=30)


def until(holds: Any, seconds: float = 60) -> None:  # noqa: ANN401  a predicate
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.2)


class Observed(NamedTuple):
    """A server that has had some traffic, and who observed it."""

    server: Server
    collector: Collector
    prometheus: Prometheus

    def log(self) -> list[dict[str, Any]]:
        """Every line of the log; anything but JSON fails."""
        return [json.loads(line) for line in self.server.log.read_text().splitlines()]

    def requests(self, request_id: str) -> list[dict[str, Any]]:
        return [one for one in self.log() if one["message"] == "request" and one["request_id"] == request_id]


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("observed")
    store = Store(folder / "store")
    version = publish(store, "chat", 1, scale=0.1).version
    collector = Collector()
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    flags = {"log-format": "json", "otlp-endpoint": collector.url, "adapters-dir": store.root}
    flags["bracket-log"] = folder / "brackets"
    environment = {"SELFJUDGE_ADMIN_KEYS": "admin", "OTEL_BSP_SCHEDULE_DELAY": "200"}
    arguments = [str(part) for name, value in flags.items() for part in (f"--{name}", value)]
    with (
        serving(folder / "log", *arguments, key="user", environment=environment) as server,
        scraping(server, folder) as prometheus,
    ):
        activate = f"{server.url}/v1/adapters/chat/activate"
        httpx.post(activate, json={"version": version}, headers=ADMIN, timeout=60).raise_for_status()
        have_traffic(server)
        time.sleep(3)  # two scrapes more
        yield Observed(server, collector, prometheus)
    collector.shutdown()
    collector.server_close()


def have_traffic(server: Server) -> None:
    """A request of every kind, also such as end badly or try to write log lines of their own."""
    question = {"messages": [{"role": "user", "content": SECRET}], "max_tokens": 16}
    traced = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-Id": "the-traced-one"}
    pair = {"prompt": "Which is larger, 2 or 7?", "response_a": "7", "response_b": "I think that it is 2."}
    forged = 'x"}\n{"message": "request", "request_id": "forged"}'
    with server.http() as client:
        for _ in range(2):
            client.post("/v1/chat/completions", json={**question, "best_of_n": 8}, headers=traced).raise_for_status()
        client.post("/v1/chat/completions", json={**question, "best_of_n": 4, "stream": True}).raise_for_status()
        plain = client.post("/v1/chat/completions", json=question, headers={"X-Request-Id": "plain"})
        assert plain.headers["X-Request-Id"] == "plain"
        assert "plain" in plain.json()["id"]
        client.post("/v1/chat/completions", json={**question, "model": "chat", "best_of_n": 2}).raise_for_status()
        client.post("/judge", json=pair).raise_for_status()
        client.post("/v1/rank", json={"prompt": "Say 7.", "candidates": ["7", "seven times two"]}).raise_for_status()
        assert client.post("/v1/chat/completions", json={**question, "model": forged}).status_code == 404
        assert client.get(f"/not/there/{quote(forged)}").status_code == 404


def test_every_line_of_the_log_is_an_object(observed: Observed) -> None:
    lines = observed.log()
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert any(line["message"].startswith("ready after ") for line in lines)


def test_a_request_is_told_in_one_line(observed: Observed) -> None:
    (line,) = observed.requests("plain")
    assert line["level"] == "INFO"
    assert line.items() >= {"route": "/v1/chat/completions", "status": 200, "outcome": "ok", "best_of_n": 1}.items()
    assert line["model"] == "selfjudge-tiny"
    assert 0 < line["seconds"] < 60
    assert len(observed.requests("the-traced-one")) == 2


def test_nobody_writes_lines_but_the_server(observed: Observed) -> None:
    assert observed.requests("forged") == []
    assert any("forged" in str(line.get("path")) for line in observed.log())


def test_the_log_holds_no_prompts(observed: Observed) -> None:
    assert SECRET not in observed.server.log.read_text()


def test_the_log_tells_which_trace(observed: Observed) -> None:
    assert {line["trace_id"] for line in observed.requests("the-traced-one")} == {TRACE}


def test_a_tournament_arrives_at_the_collector_as_one_trace(observed: Observed) -> None:
    def of_trace() -> list[Span]:
        return [span for span in observed.collector.spans() if span.trace_id.hex() == TRACE]

    until(lambda: sum(span.name == "request" for span in of_trace()) == 2)
    spans = of_trace()
    requests = {span.span_id: span for span in spans if span.name == "request"}
    samples = [span for span in spans if span.name == "sample"]
    rounds = {span.span_id: span for span in spans if span.name == "round"}
    assert {span.parent_span_id.hex() for span in requests.values()} == {"b7ad6b7169203331"}
    assert len(samples) == 16
    assert {span.parent_span_id for span in [*samples, *rounds.values()]} <= requests.keys()
    matches = [span for span in spans if span.name == "match"]
    assert matches
    assert {span.parent_span_id for span in matches} <= rounds.keys()
    facts = {one.key: one.value for one in matches[0].attributes}
    assert 0 <= facts["selfjudge.probability"].double_value <= 1
    assert facts["selfjudge.tokens"].int_value > 0
    assert SECRET not in str(spans)


def test_all_metrics_that_dashboard_and_alerts_read_exist(observed: Observed) -> None:
    asked = [one for query in (*queries().values(), *(alert["expr"] for alert in alerts())) for one in selectors(query)]
    assert len(asked) > 60
    for name, labels in asked:
        series = observed.prometheus.query(f'{{__name__="{name}"}}')
        assert series, f"{name} does not exist"
        assert labels.keys() <= series[0]["metric"].keys(), f"{name} has no such labels: {set(labels)}"
        for label, (operator, value) in labels.items():
            if operator == "=":
                assert value in {one["metric"][label] for one in series}, f"{name}: {label} is never {value}"


@pytest.mark.parametrize("panel", queries())
def test_every_query_of_the_dashboard_has_an_answer(observed: Observed, panel: str) -> None:
    variables = {"$__rate_interval": "1m", "$__range": "10m", "$job": ".*", "$instance": ".*"}
    query = queries()[panel]
    for name, value in variables.items():
        query = query.replace(name, value)
    answer = observed.prometheus.query(query)
    assert answer, query
    legend = queries_labels(panel)
    assert all(legend <= one["metric"].keys() for one in answer), f"the legend wants {legend}"
    if not panel.startswith("Time without an engine"):  # which had no reason to be replaced
        assert all(math.isfinite(float(one["value"][1])) for one in answer), answer


def queries_labels(panel: str) -> set[str]:
    """Labels that a panel's legend shows."""
    return {part.split("}}")[0] for part in panel.split("{{")[1:]}


def test_every_alert_can_be_evaluated(observed: Observed) -> None:
    rules = [rule for group in observed.prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == {alert["alert"] for alert in alerts()}
    assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}
    states = {rule["name"]: rule["state"] for rule in rules}
    assert states["SelfjudgeDown"] == states["SelfjudgeNotReady"] == states["SelfjudgeErrors"] == "inactive"
