"""What becomes active only where it passes: the probe and the gate, on a server of half precision."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import httpx
import pytest

from experiments.letters.tasks import Split, draw_problems
from selfjudge.adapters.store import Store
from tests.end_to_end.adapted import ADMIN, ENVIRONMENT, Adapted
from tests.end_to_end.serving import serving
from tests.service.adapters.files import publish


def _held_out(path: Path) -> Path:
    """Right answers to the model's own tasks against right answers to others."""
    problems = list(islice(draw_problems(Split.HELD_OUT, 7), 40))
    rows = []
    for number, problem in enumerate(problems):
        others = [*problems[number + 1 :], *problems[:number]]
        wrong = next(one.answer for one in others if (one.task, one.answer) != (problem.task, problem.answer))
        rows.append({"prompt": problem.prompt, "chosen": problem.answer, "rejected": wrong})
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adapted]:
    """A server of half precision on an empty store, whose versions pass a gate."""
    folder = tmp_path_factory.mktemp("guarded")
    rows = str(_held_out(folder / "rows.jsonl"))
    pairs = ("--gate-pairs", rows, "--gate-accuracy", "0.65")
    bracket = ("--gate-prompts", rows, "--gate-judge", "reference", "--gate-max-tokens", "32")
    flags = ("--adapters-dir", str(folder / "store"), "--dtype", "float16", *pairs, *bracket)
    with serving(folder / "log", *flags, key="user", environment=ENVIRONMENT) as running:
        yield Adapted(running, Store(folder / "store"), ("", ""))


def test_an_adapter_that_overflows_is_refused_and_the_old_one_answers(guarded: Adapted) -> None:
    """Each part of it adds less than float16 holds, and the product of both, in the feed-forward layer, is more."""
    sane = publish(guarded.store, "chat", 1).version
    wild = publish(guarded.store, "chat", 3, scale=4, targets=("gate_proj", "up_proj")).version
    guarded.change("chat/activate", version=sane).raise_for_status()
    before = guarded.text("chat")
    refusal = guarded.change("chat/activate", version=wild)
    assert (refusal.status_code, refusal.json()["error"]["type"]) == (422, "RefusedVersion")
    assert "probe: " in refusal.json()["error"]["message"]
    assert guarded.text("chat") == before
    with guarded.server.http() as client:
        assert 'selfjudge_adapter_loads_total{outcome="probe"}' in client.get("/metrics").text
    assert f"chat@{wild} is refused: " in guarded.server.log.read_text()
    assert httpx.delete(f"{guarded.server.url}/v1/adapters/chat/{wild}", headers=ADMIN).status_code == 204


def test_a_version_must_judge_well_and_win_before_it_becomes_active(guarded: Adapted) -> None:
    """Random weights, the larger the worse; one is blind as a judge, one only answers worse than the active one."""
    poor, sound, worse, blind = (
        publish(guarded.store, "gated", 1, scale=scale).version for scale in (0.1, 0.05, 0.105, 0.2)
    )
    guarded.change("gated/activate", version=poor).raise_for_status()
    before = guarded.text("gated")
    refusal = guarded.change("gated/activate", version=blind)
    assert (refusal.status_code, refusal.json()["error"]["type"]) == (422, "RefusedVersion")
    said = refusal.json()["error"]["message"]
    assert said.startswith(f"gated@{blind} is refused: gate: accuracy is 0.")
    assert said.endswith("on 40 pairs, and gate_accuracy is 0.65")
    assert said in guarded.server.log.read_text()
    assert guarded.text("gated") == before
    guarded.change("gated/activate", version=sound).raise_for_status()
    refusal = guarded.change("gated/activate", version=worse)
    assert "gate: win_share is 0." in refusal.json()["error"]["message"]
    assert guarded.chat("gated").headers["x-selfjudge-version"] == f"gated@{sound}"

    policies = httpx.get(f"{guarded.server.url}/v1/adapters", headers=ADMIN).json()["data"]
    (versions,) = [policy["versions"] for policy in policies if policy["policy"] == "gated"]
    found = {one["version"]: (one["state"], one["gate"]) for one in versions}
    states = {version: (state, gate["passed"]) for version, (state, gate) in found.items()}
    assert states == {
        poor: ("previous", True),
        blind: ("stored", False),
        sound: ("active", True),
        worse: ("stored", False),
    }
    assert found[blind][1]["accuracy"] < 0.65 <= found[worse][1]["accuracy"]
    assert found[worse][1]["win_share"] <= 0.5 < found[sound][1]["win_share"]
    assert (found[sound][1]["against"], found[sound][1]["judge"]) == (f"gated@{poor}", "reference")
    with guarded.server.http() as client:
        assert 'selfjudge_adapter_loads_total{outcome="gate"} 2.0' in client.get("/metrics").text
    assert guarded.change("gated/rollback").json()["active"] == poor
