"""Who observes a server: an OTLP collector, and a real Prometheus."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from typing_extensions import override

from tests.deploy.prometheus import ALERTS, program
from tests.end_to_end.serving import Server, free_port, until


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
