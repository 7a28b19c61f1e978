"""Versions of a policy, swapped in a running server."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from selfjudge_training.tasks.split import Split, draw_problems

from selfjudge.adapters.store import Store
from tests.end_to_end.serving import Server, serving
from tests.service.adapters.files import publish, write_adapter

ADMIN = {"Authorization": "Bearer admin"}
ENVIRONMENT = {"SELFJUDGE_ADMIN_KEYS": "admin", "SELFJUDGE_ADAPTERS_POLL_SECONDS": "0.5"}
WORDS = ("QDBA", "ZXY", "MNOP", "EFGHA", "TSR", "WVUT")
BODY: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Sort these letters: QDBA"}],
    "temperature": 0,
    "max_tokens": 16,
}


class Adapted(NamedTuple):
    """A server on a store with two versions of one policy."""

    server: Server
    store: Store
    versions: tuple[str, str]

    def change(self, path: str, **body: Any) -> httpx.Response:  # noqa: ANN401  any JSON
        return httpx.post(f"{self.server.url}/v1/adapters/{path}", json=body, headers=ADMIN, timeout=60)

    def chat(self, model: str, **more: Any) -> httpx.Response:  # noqa: ANN401  any JSON
        with self.server.http() as client:
            return client.post("/v1/chat/completions", json={**BODY, "model": model, **more})

    def active_everywhere(self) -> list[str]:
        """What answers for the policy on each replica, as this one tells it."""
        notes = httpx.get(f"{self.server.url}/v1/adapters", headers=ADMIN).json()["replicas"]
        return [note["policies"]["chat"]["active"] for note in notes]

    def text(self, model: str, **more: Any) -> str:  # noqa: ANN401  any JSON
        answer = self.chat(model, **more)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["choices"][0]["message"]["content"])


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adapted]:
    folder = tmp_path_factory.mktemp("adapted")
    store = Store(folder / "store")
    first, second = (publish(store, "chat", seed, scale=0.3).version for seed in (1, 2))
    with serving(folder / "log", "--adapters-dir", str(store.root), key="user", environment=ENVIRONMENT) as running:
        yield Adapted(running, store, (first, second))


@pytest.fixture
def first_is_active(adapted: Adapted) -> Adapted:
    for version in reversed(adapted.versions):
        adapted.change("chat/activate", version=version).raise_for_status()
    return adapted


def test_admin_routes_want_the_admin_key(adapted: Adapted) -> None:
    with adapted.server.http() as client:
        assert client.get("/v1/adapters").status_code == 401
    assert httpx.get(f"{adapted.server.url}/v1/adapters", headers=ADMIN).status_code == 200


def test_a_policys_name_stands_for_its_active_version(first_is_active: Adapted) -> None:
    adapted, (first, second) = first_is_active, first_is_active.versions
    texts = {version: adapted.text(f"chat@{version}") for version in (first, second)}
    texts["base"] = adapted.text("selfjudge-tiny")
    assert len(set(texts.values())) == 3
    assert adapted.text("chat") == texts[first]
    adapted.change("chat/activate", version=second).raise_for_status()
    assert adapted.text("chat") == texts[second]
    assert adapted.change("chat/rollback").json()["active"] == first
    assert adapted.text("chat") == texts[first]


@pytest.mark.parametrize("best_of_n", [1, 4])
@pytest.mark.parametrize("stream", [False, True])
def test_every_answer_names_its_version(first_is_active: Adapted, best_of_n: int, stream: bool) -> None:
    name = f"chat@{first_is_active.versions[0]}"
    answer = first_is_active.chat("chat", best_of_n=best_of_n, stream=stream, temperature=1)
    assert answer.headers["x-selfjudge-version"] == name
    assert f'"model":"{name}"' in answer.text.replace(": ", ":")


def test_judge_and_rank_read_with_the_version(first_is_active: Adapted) -> None:
    name = f"chat@{first_is_active.versions[0]}"
    judged = {"prompt": "Say a letter.", "response_a": "A", "response_b": "7"}
    ranked = {"prompt": "Say a letter.", "candidates": ["A", "7", "?"]}
    with first_is_active.server.http() as client:
        by_policy = client.post("/judge", json={**judged, "model": "chat"}).json()
        by_base = client.post("/judge", json=judged).json()
        rank = client.post("/v1/rank", json={**ranked, "model": "chat"}).json()
    assert (by_policy["model"], rank["model"], by_base["model"]) == (name, name, "selfjudge-tiny")
    assert by_policy["probability_a"] != pytest.approx(by_base["probability_a"], abs=1e-4)


def test_prefix_caches_of_versions_never_mix(first_is_active: Adapted) -> None:
    names = [f"chat@{version}" for version in first_is_active.versions] + ["selfjudge-tiny"]
    alone = {name: first_is_active.text(name) for name in names}
    assert all(first_is_active.text(name) == alone[name] for name in islice(cycle(names), 12))


def test_a_prompts_log_probabilities_are_those_of_its_own_adapter(first_is_active: Adapted) -> None:
    names = [*(f"chat@{version}" for version in first_is_active.versions), "selfjudge-tiny"]

    def of_prompt(name: str) -> list[float]:
        body = {"model": name, "prompt": "Sort these letters: QDBA", "max_tokens": 1, "prompt_logprobs": 0}
        with first_is_active.server.http() as client:
            answer = client.post("/v1/completions", json=body)
        assert answer.status_code == 200, answer.text
        first, *others = answer.json()["choices"][0]["prompt_logprobs"]
        assert first is None
        return [one["logprob"] for each in others for one in each.values()]

    alone = [of_prompt(name) for name in names]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(of_prompt, names * 4))
    assert together == [pytest.approx(each, abs=1e-3) for each in alone * 4]
    assert all(each != pytest.approx(alone[-1], abs=1e-2) for each in alone[:-1])


def test_swaps_under_load_fail_nobody_and_mix_nothing(first_is_active: Adapted) -> None:
    adapted = first_is_active
    texts = {f"chat@{version}": adapted.text(f"chat@{version}") for version in adapted.versions}
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(adapted.chat, "chat", best_of_n=1 + 3 * (number % 2)) for number in range(80)]
        for version in islice(cycle(reversed(adapted.versions)), 20):
            adapted.change("chat/activate", version=version).raise_for_status()
    for answer in [future.result() for future in answers]:
        assert answer.status_code == 200, answer.text
        name = answer.headers["x-selfjudge-version"]
        body = answer.json()
        assert (body["model"], body["choices"][0]["message"]["content"]) == (name, texts[name])


def test_models_lists_policies_and_versions(first_is_active: Adapted) -> None:
    with first_is_active.server.http() as client:
        listed = {card["id"]: card for card in client.get("/v1/models").json()["data"]}
    first, second = (f"chat@{version}" for version in first_is_active.versions)
    assert set(listed) == {"selfjudge-tiny", "chat", first, second}
    assert listed["chat"]["root"] == first


@pytest.mark.parametrize("stream", [False, True])
def test_vllms_own_routes_name_the_version_too(first_is_active: Adapted, stream: bool) -> None:
    name = f"chat@{first_is_active.versions[0]}"
    body = {"model": "chat", "prompt": "QDBA", "max_tokens": 4, "stream": stream}
    with first_is_active.server.http() as client:
        answer = client.post("/v1/completions", json=body)
    assert answer.headers["x-selfjudge-version"] == name
    assert f'"model":"{name}"' in answer.text.replace(": ", ":")


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


def test_a_second_replica_follows_and_a_restart_remembers(first_is_active: Adapted, tmp_path: Path) -> None:
    adapted, (first, second) = first_is_active, first_is_active.versions
    flags = ("--adapters-dir", str(adapted.store.root))
    with serving(tmp_path / "log", *flags, key="user", environment=ENVIRONMENT) as running:
        replica = Adapted(running, adapted.store, adapted.versions)
        assert replica.chat("chat").headers["x-selfjudge-version"] == f"chat@{first}"
        adapted.change("chat/activate", version=second).raise_for_status()
        deadline = time.monotonic() + 5
        while adapted.active_everywhere() != [second, second]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert replica.active_everywhere() == [second, second]
        assert replica.chat("chat").headers["x-selfjudge-version"] == f"chat@{second}"


def test_an_adapter_full_of_nan_spoils_no_other_request(tmp_path: Path) -> None:
    """Past all checks, by vLLM's own route, with no store, and where each request gets blocks of those before."""
    wild = write_adapter(tmp_path / "wild", 1)
    weights = load_file(wild / "adapter_model.safetensors")
    save_file({name: np.full_like(one, np.nan) for name, one in weights.items()}, wild / "adapter_model.safetensors")
    flags = ("--enable-lora", "--kv-cache-memory-bytes", str(8 * 2**20))
    environment = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}
    with serving(tmp_path / "log", *flags, key="user", environment=environment) as running:
        adapted = Adapted(running, Store(tmp_path / "store"), ("", ""))
        prompts = [{"messages": [{"role": "user", "content": f"Sort these letters: {word}"}]} for word in WORDS]
        before = [adapted.text("selfjudge-tiny", **prompt) for prompt in prompts]
        with running.http() as client:
            loading = {"lora_name": "wild", "lora_path": str(wild)}
            client.post("/v1/load_lora_adapter", json=loading).raise_for_status()
        longer = {"messages": [{"role": "user", "content": f"Sort these letters: {''.join(WORDS)}"}]}
        for prompt, text in zip(prompts * 4, before * 4, strict=True):
            adapted.chat("wild", **longer)  # reaches further into its blocks than what gets them next
            assert adapted.text("selfjudge-tiny", **prompt) == text
