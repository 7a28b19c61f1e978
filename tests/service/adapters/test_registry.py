"""Leases, shares of canaries, and what is loaded when."""

import asyncio
from pathlib import Path

import pytest
from selfjudge_service.adapters.registry import Key
from selfjudge_service.protocol.errors import RefusedVersionError, UnknownModelError
from vllm.lora.request import LoRARequest

from selfjudge.adapters.store import Store
from tests.service.adapters.fakes import Replica
from tests.service.adapters.files import publish
from tests.service.conftest import Counter


async def activated(replica: Replica, *seeds: int) -> list[Key]:
    """Versions published and activated one after the other."""
    keys = [Key("chat", publish(replica.store, "chat", seed).version) for seed in seeds]
    for key in keys:
        await replica.changes.activate(*key)
    return keys


async def test_a_policy_and_its_version_are_found(replica: Replica) -> None:
    (key,) = await activated(replica, 1)
    assert replica.adapters.find("chat") == replica.adapters.find(str(key)) == key


async def test_other_models_are_not_ours(replica: Replica) -> None:
    await activated(replica, 1)
    assert replica.adapters.find("tiny") is replica.adapters.find("chatter@1") is None


async def test_a_version_that_is_not_loaded_is_an_unknown_model(replica: Replica) -> None:
    (key,) = await activated(replica, 1)
    with pytest.raises(UnknownModelError, match=rf"'chat@nope'; loaded: {key}"):
        replica.adapters.find("chat@nope")


async def test_it_is_probed_before_a_request_can_name_it(replica: Replica) -> None:
    seen: list[set[str]] = []

    async def look() -> None:
        seen.append(set(replica.names))

    replica.engine.before_probe = look
    first, second = await activated(replica, 1, 2)
    assert seen == [set(), {"chat", str(first)}]
    assert replica.names["chat"] is replica.names[str(second)]


async def test_requests_go_on_while_a_version_is_probed(replica: Replica) -> None:
    (first,) = await activated(replica, 1)
    probing, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        probing.set()
        await go_on.wait()

    replica.engine.before_probe = wait
    second = publish(replica.store, "chat", 2).version
    switching = asyncio.create_task(replica.changes.activate("chat", second))
    await probing.wait()
    assert replica.adapters.find("chat") == first
    go_on.set()
    await switching
    assert replica.adapters.find("chat") == Key("chat", second)


async def test_a_retired_version_stays_until_its_last_request_is_done(replica: Replica) -> None:
    (first,) = await activated(replica, 1)
    with replica.adapters.lease(first):
        with replica.adapters.lease(first):
            await activated(replica, 2, 3)
        assert replica.adapters.in_flight(first) == 1
        assert str(first) in replica.names
        assert str(first) in replica.engine.names
    await replica.adapters.unloaded(first)
    assert str(first) not in replica.names
    assert str(first) not in replica.engine.names


async def test_a_hundred_swaps_leave_two_versions_loaded(replica: Replica) -> None:
    keys = await activated(replica, *[seed % 4 for seed in range(100)])
    copies = Path(replica.names["chat"].lora_path).parent
    for key in keys[:4]:
        await replica.adapters.unloaded(key)
    assert len(replica.engine.loaded) == 2
    assert len(replica.names) == 3
    assert {copy.name for copy in copies.iterdir()} == {key.version for key in keys[-2:]}


async def test_a_version_that_comes_back_has_the_name_and_id_that_it_had(replica: Replica) -> None:
    (first,) = await activated(replica, 1)
    before = replica.names[str(first)]
    await activated(replica, 2, 3)
    await replica.changes.activate(*first)
    after = replica.names[str(first)]
    assert (after.lora_int_id, after.lora_path) == (before.lora_int_id, before.lora_path)


@pytest.mark.parametrize("fault", ["engine", "probe"])
async def test_what_the_engine_refuses_is_unloaded_and_the_old_version_serves(
    replica: Replica, fault: str, counted: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    (first,) = await activated(replica, 1)
    bad = Key("chat", publish(replica.store, "chat", 2).version)
    (replica.engine.unloadable if fault == "engine" else replica.engine.unfit).add(str(bad))
    with pytest.raises(RefusedVersionError, match=f"{bad} is refused: {fault}: "):
        await replica.changes.activate(*bad)
    assert replica.engine.names == {str(first)}
    assert replica.adapters.find("chat") == first
    assert counted("selfjudge_adapter_loads_total", outcome=fault) == 1
    assert f"{bad} is refused: {fault}: " in caplog.text


async def test_canaries_get_their_share_and_sticky_requests_stay(replica: Replica) -> None:
    (active,) = await activated(replica, 1)
    canary = Key("chat", publish(replica.store, "chat", 2).version)
    await replica.changes.set_canary(*canary, 0.25)
    found = [replica.adapters.find("chat", f"user {number}") for number in range(2000)]
    assert found.count(canary) == pytest.approx(500, abs=80)
    assert set(found) == {active, canary}
    assert found == [replica.adapters.find("chat", f"user {number}") for number in range(2000)]
    await replica.changes.set_canary(*canary, 0.5)
    more = [replica.adapters.find("chat", f"user {number}") for number in range(2000)]
    assert all(after == canary for before, after in zip(found, more, strict=True) if before == canary)


async def test_who_is_not_sticky_is_drawn(replica: Replica) -> None:
    (active,) = await activated(replica, 1)
    canary = Key("chat", publish(replica.store, "chat", 2).version)
    await replica.changes.set_canary(*canary, 0.5)
    assert {replica.adapters.find("chat") for _ in range(200)} == {active, canary}


async def test_a_canary_without_weight_answers_to_its_own_name_only(replica: Replica) -> None:
    (active,) = await activated(replica, 1)
    canary = Key("chat", publish(replica.store, "chat", 2).version)
    await replica.changes.set_canary(*canary, 0)
    assert {replica.adapters.find("chat") for _ in range(200)} == {active}
    assert replica.adapters.find(str(canary)) == canary


async def test_equal_content_of_two_policies_is_two_adapters(replica: Replica, store: Store) -> None:
    for policy in ("chat", "code"):
        await replica.changes.activate(policy, publish(store, policy, 1).version)
    assert len(replica.engine.loaded) == 2


async def test_an_adapter_that_the_engine_does_not_let_go_of_is_told(
    replica: Replica, counted: Counter, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: LoRARequest) -> None:
        raise RuntimeError("a worker is gone")

    monkeypatch.setattr(replica.engine, "unload", fail)
    first, *_ = await activated(replica, 1, 2, 3)
    await replica.adapters.unloaded(first)
    assert counted("selfjudge_background_failures_total", task="unload") == 1
    assert "a worker is gone" in caplog.text
