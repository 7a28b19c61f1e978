"""Our metrics on vLLM's own /metrics."""

from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.serving import Server


def values(server: Server) -> dict[str, float]:
    """Every sample by name, summed over its labels."""
    with server.http() as client:
        text = client.get("/metrics").text
    totals: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            totals[sample.name] += sample.value
    return totals


def candidates(server: Server) -> dict[str, float]:
    """Candidates so far, by how they ended."""
    with server.http() as client:
        families = text_string_to_metric_families(client.get("/metrics").text)
    (family,) = [family for family in families if family.name == "selfjudge_candidates"]
    return {sample.labels["outcome"]: sample.value for sample in family.samples if sample.name.endswith("_total")}


def test_a_tournament_shows_up(server: Server) -> None:
    before = values(server)
    with server.http() as client:
        body = {"messages": [{"role": "user", "content": "Sort these letters: QDBA"}], "best_of_n": 8}
        report = client.post("/v1/chat/completions", json=body).json()["self_rejection"]
    grown = {name: value - before.get(name, 0) for name, value in values(server).items()}
    judged = report["usage"]["matches"]
    assert grown["selfjudge_tournament_seconds_count"] == 1
    assert grown["selfjudge_sampling_seconds_count"] == 1
    assert grown["selfjudge_match_seconds_count"] == judged
    assert grown["selfjudge_judgments_total"] == judged
    assert grown["selfjudge_duplicates_total"] == 7 - judged
    assert grown["selfjudge_label_mass_count"] == judged
    assert grown["selfjudge_winner_margin_count"] == 1
