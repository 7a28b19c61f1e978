"""Versions of a policy, swapped in a running server."""

from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.adapted import ADMIN, ENVIRONMENT, Adapted
from tests.end_to_end.serving import serving, until


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


def test_a_second_replica_follows_and_a_restart_remembers(first_is_active: Adapted, tmp_path: Path) -> None:
    adapted, (first, second) = first_is_active, first_is_active.versions
    flags = ("--adapters-dir", str(adapted.store.root))
    with serving(tmp_path / "log", *flags, key="user", environment=ENVIRONMENT) as running:
        replica = Adapted(running, adapted.store, adapted.versions)
        assert replica.chat("chat").headers["x-selfjudge-version"] == f"chat@{first}"
        adapted.change("chat/activate", version=second).raise_for_status()
        until(lambda: adapted.active_everywhere() == [second, second], seconds=5)
        assert replica.active_everywhere() == [second, second]
        assert replica.chat("chat").headers["x-selfjudge-version"] == f"chat@{second}"
