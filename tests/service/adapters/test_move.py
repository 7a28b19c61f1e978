"""A fresh engine in place of a dead one: what was served is served again, under the names and ids that it had."""

import asyncio
import shutil
from itertools import count
from pathlib import Path

import pytest
from selfjudge_service.adapters.registry import Key
from selfjudge_service.protocol.errors import UnknownModelError
from vllm.lora.request import LoRARequest
from vllm.v1.engine.exceptions import EngineDeadError

from tests.service.adapters.fakes import RememberingEngine, Replica
from tests.service.adapters.files import publish


async def moved(replica: Replica, engine: RememberingEngine | None = None) -> tuple[RememberingEngine, Replica]:
    """The replica on a fresh engine, whose names are in a new registry."""
    names = dict[str, LoRARequest]()
    engine, ids = engine or RememberingEngine(), count(replica.adapters.largest_id + 1)
    await replica.adapters.move(engine, names, lambda: next(ids))
    return engine, replica._replace(engine=engine, names=names)


@pytest.fixture
async def keys(replica: Replica) -> list[Key]:
    """A previous, an active and a canary version."""
    keys = [Key("chat", publish(replica.store, "chat", seed).version) for seed in (1, 2, 3)]
    await replica.changes.activate(*keys[0])
    await replica.changes.activate(*keys[1])
    await replica.changes.set_canary(*keys[2], 0.5)
    return keys


async def test_all_versions_keep_their_names_and_ids(replica: Replica, keys: list[Key]) -> None:
    before = dict(replica.names)
    engine, after = await moved(replica)
    assert after.names == before
    assert set(engine.loaded) == {1, 2, 3}
    assert replica.adapters.find(str(keys[0])) == keys[0]


async def test_it_goes_on_changing_on_the_fresh_engine(replica: Replica, keys: list[Key]) -> None:
    engine, after = await moved(replica)
    new = Key("chat", publish(replica.store, "chat", 4).version)
    await after.changes.activate(*new)
    assert after.names["chat"].lora_int_id == 4
    assert engine.names == {str(key) for key in (*keys[1:], new)}
    assert after.changes is replica.changes


async def test_a_version_that_a_request_still_holds_comes_along(replica: Replica, keys: list[Key]) -> None:
    held = keys[0]
    with replica.adapters.lease(held):
        await replica.changes.activate("chat", publish(replica.store, "chat", 4).version)
        engine, after = await moved(replica)
        assert str(held) in engine.names
        assert str(held) in after.names
    await replica.adapters.unloaded(held)
    assert str(held) not in engine.names


async def test_a_change_that_hangs_in_the_dead_engine_is_ended(replica: Replica, keys: list[Key]) -> None:
    replica.engine.hangs = True
    new = Key("chat", publish(replica.store, "chat", 4).version)
    changing = asyncio.create_task(replica.changes.activate(*new))
    await asyncio.sleep(0.1)
    _, after = await moved(replica)
    with pytest.raises(EngineDeadError):
        await changing
    assert replica.adapters.find("chat", "nobody's share") in keys[1:]
    await after.changes.activate(*new)
    assert after.active("chat") == new.version


async def test_what_the_fresh_engine_refuses_cannot_be_named(replica: Replica, keys: list[Key]) -> None:
    engine, after = await moved(replica, RememberingEngine(unloadable={str(keys[1])}))
    with pytest.raises(UnknownModelError):
        replica.adapters.find(str(keys[1]))
    assert set(after.names) == {str(keys[0]), str(keys[2])}
    assert "too big" in replica.adapters.refused[keys[1]]
    engine.unloadable.clear()


async def test_a_copy_that_somebody_has_deleted_is_made_anew(replica: Replica, keys: list[Key]) -> None:
    copy = Path(replica.names["chat"].lora_path)
    (copy / "adapter_model.safetensors").unlink()
    await moved(replica)
    assert (copy / "adapter_model.safetensors").is_file()
    shutil.rmtree(copy.parent)
    await moved(replica)
    assert (copy / "adapter_model.safetensors").is_file()


async def test_following_a_store_outlives_a_dead_engine(replica: Replica, keys: list[Key]) -> None:
    newest = publish(replica.store, "chat", 4).version
    replica.engine.abandon()
    await replica.changes.watch()
    assert replica.active("chat") == keys[1].version
    _, after = await moved(replica)
    await after.changes.watch()
    assert after.active("chat") == newest
