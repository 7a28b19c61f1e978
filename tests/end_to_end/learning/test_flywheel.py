"""docs/flywheel.md followed by a machine: a real server logs, pairs are made of the log, and a stage trains on them."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from selfjudge_training.cli import main
from selfjudge_training.data.load import load_pairs
from selfjudge_training.data.source import Source

from selfjudge import load_templates
from tests.end_to_end.api.test_metrics import values
from tests.end_to_end.learning.conftest import ASK, TRAIN
from tests.end_to_end.serving import Server, until

TASKS = ("Sort these letters: QDBA", "Sort these letters: ZCKE", "Reverse this word: table", "Add 17 and 25.")
ROUNDS = 3


def log_tournaments(server: Server) -> int:
    """Has tournaments held, some of which are not to be logged; returns how many are."""
    body = re.search(r"-d '(.*)'", ASK, re.DOTALL)
    assert body
    shown = json.loads(body[1])
    with server.http() as client:
        client.post("/v1/chat/completions", json=shown).raise_for_status()
        for task in TASKS * ROUNDS:
            asked = [{"role": "user", "content": task}]
            client.post("/v1/chat/completions", json={**shown, "messages": asked}).raise_for_status()
        ranked = {"prompt": TASKS[0], "candidates": ["ABDQ", "QDBA", "ABQD"]}
        client.post("/v1/rank", json=ranked).raise_for_status()
        client.post("/v1/rank", json={**ranked, "store": False}).raise_for_status()
    return 2 + ROUNDS * len(TASKS)


def lines() -> list[dict[str, Any]]:
    """Of the server's log of tournaments."""
    parts = [part.read_text(encoding="utf-8") for part in Path("build/brackets").glob("*.jsonl")]
    return [json.loads(line) for text in parts for line in text.splitlines()]


@pytest.mark.slow
def test_from_a_running_server_to_a_trained_model(server: Server) -> None:
    logged = log_tournaments(server)
    until(lambda: values(server)["selfjudge_brackets_total"] == logged + 1)
    with server.http() as client:
        assert 'selfjudge_brackets_total{outcome="opted_out"} 1.0' in client.get("/metrics").text
    assert len(lines()) == logged
    for line in lines():
        assert len(line["matches"]) >= len(line["candidates"]) - 1

    convert, train = [shlex.split(line) for line in TRAIN.splitlines()]
    assert main(convert[1:]) == 0
    source = Source(format="preferences", path=Path("build/pairs.jsonl"))
    pairs = load_pairs([source], load_templates()["ultrafeedback"], strict=True).records
    assert len(pairs) >= 5
    assert {pair.conversation[-1]["content"] for pair in pairs} <= set(TASKS)
    smaller = ["optimisation.batch=4", "machine.micro_batch=4", "optimisation.epochs=1"]
    assert main([*train[1:], *smaller]) == 0
    assert Path("build/flywheel/model/model.safetensors").is_file()
