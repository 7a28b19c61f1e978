"""Self-training against a running server: its answers to held-out prompts get better, and it is never restarted."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from selfjudge_training.cli import main
from selfjudge_training.data.rows import write_lines

from experiments.letters.preferences.rows import checkable_rows
from selfjudge.adapters.store import Store
from tests.end_to_end.adapted import ADMIN
from tests.end_to_end.serving import Server
from tests.training.evaluation.questions import write_questions

KEY = "SELFJUDGE_ADMIN_KEY"
PROMPTS = 200
"""Held out; with so many the difference of two shares has a standard error of at most 0.05."""
QUICK = ("optimisation.batch=48", "machine.micro_batch=48", "rollouts.adapter_every=5")
STEPS = 20


def exact_match(server: Server, model: str, output: Path) -> float:
    """By the documented command, the same prompts and seeds each time."""
    at = f"{{kind: server, at: '{server.url}/v1', model: {model}, key_variable: {KEY}}}"
    asked = write_questions(output.with_suffix(".json"), PROMPTS)
    overrides = (f"policy={at}", f"questions={asked}", "sweep=null")
    assert main(["evaluate", "policy", "--output", str(output), *overrides]) == 0
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    share: float = report["results"]["answers"]["exact_match"]["overall"]["mean"]
    return share


def serving_now(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.url}/v1/adapters", headers=ADMIN, timeout=60).json()
    return found


def versions_that_answer(server: Server, until: Event) -> list[str]:
    """Ask for the policy again and again, best of 2, and collect who answered; no request may fail."""
    body = {"model": "chat", "best_of_n": 2, "messages": [{"role": "user", "content": "Sort these letters: QDBA"}]}
    answered: list[str] = []
    with server.http() as client:
        while not until.is_set():
            answer = client.post("/v1/chat/completions", json=body)
            if answer.status_code == httpx.codes.NOT_FOUND and not answered:
                time.sleep(0.1)  # nothing has been published yet
                continue
            assert answer.status_code == httpx.codes.OK, answer.text
            answered.append(answer.headers["x-selfjudge-version"])
            time.sleep(0.2)
    return answered


@pytest.mark.timeout(900)
def test_a_server_gets_better_while_it_serves(
    server: Server, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "admin")
    began = serving_now(server)
    before = exact_match(server, server.model, tmp_path / "before")

    run, trained = tmp_path / "run", Event()
    rows = tmp_path / "rows.jsonl"
    write_lines(checkable_rows("ultrafeedback", 960), rows)
    sources = f"prompts.sources=[{{format: ultrafeedback, path: {rows}}}]"
    overrides = [f"rollouts.server.at={server.url}/v1", f"publish.store={store}", sources, *QUICK]
    with ThreadPoolExecutor(1) as pool:
        answering = pool.submit(versions_that_answer, server, trained)
        try:
            assert main(["self-train", "--config", "self-train-server", "--output", str(run), *overrides]) == 0
        finally:
            trained.set()
    seen = list(dict.fromkeys(answering.result()))

    published = Store(store).versions("chat")
    assert [one.metrics.get("training/step", 0) for one in published] == [0, 5, 10, 15, STEPS]
    assert [one.parent for one in published] == [None, *(one.version for one in published[:-1])]
    assert [name for name in (one.name for one in published) if name in seen] == seen, "in the order of publication"
    assert len(seen) > 1

    now = serving_now(server)
    assert {one["policy"]: one["active"] for one in now["data"]}["chat"] == published[-1].version
    assert now["replica"] == began["replica"], "it was restarted"
    after = exact_match(server, "chat", tmp_path / "after")
    assert after > before + 0.1
