"""One server seen from outside: its log, its traces at a collector, its metrics in a real Prometheus."""

import math
import time
from urllib.parse import quote

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.deploy.prometheus import alerts, queries, selectors
from tests.end_to_end.adapted import Adapted
from tests.end_to_end.operated.observers import Observed
from tests.end_to_end.serving import Server, until

TRACE = "0af7651916cd43dd8448eb211c80319c"
SECRET = "Is this a secret: QDBA?"


@pytest.fixture(scope="module", autouse=True)
def _there_was_traffic(observed: Observed, adapted: Adapted) -> None:
    adapted.change("chat/activate", version=adapted.versions[0]).raise_for_status()
    have_traffic(observed.server)
    time.sleep(3)  # two scrapes more


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
