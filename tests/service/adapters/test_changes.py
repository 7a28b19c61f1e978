"""Activation, rollback, canaries, deletion, and following the store."""

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest
from selfjudge_service.adapters.registry import Key
from selfjudge_service.background import Background
from selfjudge_service.protocol.errors import ApiError, ConflictError, NotFoundError, RefusedVersionError
from vllm.exceptions import GracefulHTTPError
from vllm.lora.request import LoRARequest

from selfjudge.adapters.store import Store
from tests.service.adapters.fakes import Replica, make_replica
from tests.service.adapters.files import BASE, publish, write_adapter
from tests.service.engine.fakes import until


@pytest.fixture
def versions(store: Store) -> list[str]:
    return [publish(store, "chat", seed).version for seed in (1, 2, 3)]


async def test_rollback_goes_to_the_one_before_and_back(replica: Replica, versions: list[str]) -> None:
    for version in versions[:2]:
        await replica.changes.activate("chat", version)
    assert (await replica.changes.rollback("chat")).active == versions[0]
    assert replica.active("chat") == versions[0]
    assert (await replica.changes.rollback("chat")).active == versions[1]


async def test_there_must_be_one_to_roll_back_to(replica: Replica, versions: list[str]) -> None:
    await replica.changes.activate("chat", versions[0])
    with pytest.raises(ConflictError, match="no version before"):
        await replica.changes.rollback("chat")


async def test_activating_the_active_version_changes_nothing(replica: Replica, versions: list[str]) -> None:
    for version in versions[:2]:
        await replica.changes.activate("chat", version)
    record = await replica.changes.activate("chat", versions[1])
    assert (record.active, record.previous) == (versions[1], versions[0])


async def test_an_unknown_version_is_named(replica: Replica, versions: list[str]) -> None:
    with pytest.raises(NotFoundError, match="0123456789abcdef"):
        await replica.changes.activate("chat", "0123456789abcdef")


@pytest.mark.parametrize(
    ("policy", "version"), [("..", "0123456789abcdef"), ("chat", ".."), ("chat", "/etc"), ("a/b", "0123456789abcdef")]
)
async def test_nothing_outside_the_store_is_reached(replica: Replica, policy: str, version: str) -> None:
    with pytest.raises(RefusedVersionError, match="is no name of a"):
        await replica.changes.activate(policy, version)


async def test_a_policy_with_the_models_name_is_refused(replica: Replica, store: Store) -> None:
    with pytest.raises(ConflictError, match="the served model's own name"):
        await replica.changes.activate("tiny", publish(store, "tiny", 1).version)


def _other_base(store: Store, tmp_path: Path) -> str:
    other = BASE._replace(fingerprint="0" * 64)
    return store.publish("chat", write_adapter(tmp_path / "other", 9), base=other, template="t").version


def _too_large_a_rank(store: Store, tmp_path: Path) -> str:
    return store.publish("chat", write_adapter(tmp_path / "large", 9, rank=16), base=BASE, template="t").version


def _replaced_file(store: Store, tmp_path: Path) -> str:
    version = publish(store, "chat", 9).version
    write_adapter(store.folder("chat", version), 10)
    return version


def _file_too_many(store: Store, tmp_path: Path) -> str:
    version = publish(store, "chat", 9).version
    (store.folder("chat", version) / "more.bin").write_bytes(b"1")
    return version


def _missing_file(store: Store, tmp_path: Path) -> str:
    version = publish(store, "chat", 9).version
    (store.folder("chat", version) / "adapter_model.safetensors").unlink()
    return version


def _link_to_elsewhere(store: Store, tmp_path: Path) -> str:
    version = publish(store, "chat", 9).version
    weights = store.folder("chat", version) / "adapter_model.safetensors"
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    return version


def _forged_manifest(store: Store, tmp_path: Path) -> str:
    version = publish(store, "chat", 9).version
    path = store.folder("chat", version) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base": "0" * 64}))
    return version


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_other_base, "base"),
        (_too_large_a_rank, "rank"),
        (_replaced_file, "checksum"),
        (_file_too_many, "files"),
        (_missing_file, "files"),
        (_link_to_elsewhere, "files"),
        (_forged_manifest, "manifest"),
    ],
)
async def test_a_bad_version_is_refused_and_the_old_one_serves(
    replica: Replica,
    store: Store,
    versions: list[str],
    tmp_path: Path,
    spoil: Callable[[Store, Path], str],
    reason: str,
) -> None:
    await replica.changes.activate("chat", versions[0])
    with pytest.raises(RefusedVersionError, match=f"is refused: {reason}: "):
        await replica.changes.activate("chat", spoil(store, tmp_path))
    assert replica.active("chat") == versions[0]
    assert len(replica.engine.history) == 2  # the engine has seen the first version only


async def test_what_was_validated_is_what_is_loaded(replica: Replica, store: Store, versions: list[str]) -> None:
    """The engine reads a copy that nobody else writes to: replacing or deleting files in the store changes nothing."""
    await replica.changes.activate("chat", versions[0])
    loaded = Path(replica.names["chat"].lora_path)
    assert not loaded.is_relative_to(store.root)
    before = (loaded / "adapter_model.safetensors").read_bytes()
    write_adapter(store.folder("chat", versions[0]), 10)
    store.remove("chat", versions[0])
    assert (loaded / "adapter_model.safetensors").read_bytes() == before


async def test_a_refused_version_can_be_tried_again(replica: Replica, versions: list[str]) -> None:
    replica.engine.unloadable.add(f"chat@{versions[0]}")
    with pytest.raises(RefusedVersionError):
        await replica.changes.activate("chat", versions[0])
    replica.engine.unloadable.clear()
    assert (await replica.changes.activate("chat", versions[0])).active == versions[0]


async def test_shares_of_canaries(replica: Replica, versions: list[str]) -> None:
    with pytest.raises(ConflictError, match="no active version yet"):
        await replica.changes.set_canary("chat", versions[1], 0.5)
    await replica.changes.activate("chat", versions[0])
    with pytest.raises(ConflictError, match="is active"):
        await replica.changes.set_canary("chat", versions[0], 0.5)
    await replica.changes.set_canary("chat", versions[1], 0.6)
    with pytest.raises(ApiError, match="weight: "):
        await replica.changes.set_canary("chat", versions[2], 0.5)
    record = await replica.changes.set_canary("chat", versions[2], 0.4)
    assert record.canaries == {versions[1]: 0.6, versions[2]: 0.4}
    assert (await replica.changes.activate("chat", versions[2])).canaries == {versions[1]: 0.6}
    assert (await replica.changes.set_canary("chat", versions[1], None)).canaries == {}


async def test_only_what_nobody_uses_is_deleted(replica: Replica, store: Store, versions: list[str]) -> None:
    first, second, third = versions
    await replica.changes.activate("chat", first)
    with replica.adapters.lease(Key("chat", first)):
        await replica.changes.activate("chat", second)
        with pytest.raises(ConflictError, match="still answers 1 requests"):
            await replica.changes.delete("chat", first)
    await replica.changes.set_canary("chat", third, 0.1)
    with pytest.raises(ConflictError, match="is a canary"):
        await replica.changes.delete("chat", third)
    with pytest.raises(ConflictError, match="is active"):
        await replica.changes.delete("chat", second)
    await replica.changes.delete("chat", first)
    assert {manifest.version for manifest in store.versions("chat")} == {second, third}
    assert replica.engine.names == {f"chat@{second}", f"chat@{third}"}
    with pytest.raises(ConflictError):
        await replica.changes.rollback("chat")


async def test_another_replica_follows_and_so_does_a_restart(
    replica: Replica, store: Store, versions: list[str]
) -> None:
    other = make_replica(store)
    await replica.changes.activate("chat", versions[0])
    await replica.changes.set_canary("chat", versions[1], 0.5)
    await other.changes.follow()
    assert other.active("chat") == versions[0]
    assert other.adapters.record("chat") == replica.adapters.record("chat")
    await other.changes.activate("chat", versions[2])
    await replica.changes.follow()
    assert replica.active("chat") == versions[2]


async def test_nothing_is_active_in_a_store_that_is_not_watched(replica: Replica, versions: list[str]) -> None:
    await replica.changes.follow()
    assert replica.names == {}


async def test_watching_activates_each_newest_version_once(replica: Replica, store: Store, versions: list[str]) -> None:
    await replica.changes.watch()
    assert replica.active("chat") == versions[-1]
    newest = publish(store, "chat", 4).version
    await replica.changes.watch()
    assert replica.active("chat") == newest
    await replica.changes.rollback("chat")
    await replica.changes.watch()
    assert replica.active("chat") == versions[-1]


async def test_watching_refuses_a_bad_version_once(
    replica: Replica, store: Store, versions: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    await replica.changes.watch()
    bad = publish(store, "chat", 4).version
    write_adapter(store.folder("chat", bad), 5)
    for _ in range(3):
        await replica.changes.watch()
    assert replica.active("chat") == versions[-1]
    assert caplog.text.count(f"chat@{bad} is refused: checksum: ") == 1
    assert "checksum" in replica.adapters.refused[Key("chat", bad)]


async def test_what_a_replica_cannot_load_leaves_it_as_it_was(
    replica: Replica, store: Store, versions: list[str]
) -> None:
    other = make_replica(store)
    await replica.changes.activate("chat", versions[0])
    await other.changes.follow()
    other.engine.unfit.add(f"chat@{versions[1]}")
    await replica.changes.activate("chat", versions[1])
    await other.changes.follow()
    await other.changes.follow()
    assert other.active("chat") == versions[0]
    assert other.engine.history.count(f"load chat@{versions[1]}") == 1


async def test_a_replica_that_refused_the_active_version_goes_on_with_its_own_whatever_else_changes(
    replica: Replica, store: Store, versions: list[str]
) -> None:
    first, second, third = versions
    other = make_replica(store)
    await replica.changes.activate("chat", first)
    await other.changes.follow()
    other.engine.unfit.add(f"chat@{second}")
    await replica.changes.activate("chat", second)
    await other.changes.follow()

    def serves_the_first() -> bool:
        return other.active("chat") == first and other.adapters.find("chat", "somebody") == Key("chat", first)

    assert (await other.changes.set_canary("chat", third, 0.0)).active == second, "what all are to serve stays"
    assert serves_the_first()
    with pytest.raises(ConflictError, match=f"chat@{first} is active"):
        await other.changes.delete("chat", first)
    await other.changes.follow()
    assert serves_the_first()
    newest = publish(store, "chat", 4).version
    other.engine.unfit.add(f"chat@{newest}")
    await other.changes.watch()
    (store.root / ".serving" / "chat.json").rename(store.root / "record.json")
    (store.root / ".serving").rmdir()
    (store.root / ".serving").write_text("in the way")
    with pytest.raises(ConflictError):
        await other.changes.set_canary("chat", third, None)
    assert serves_the_first()


async def test_a_store_that_cannot_be_written_changes_nothing(
    replica: Replica, store: Store, versions: list[str]
) -> None:
    await replica.changes.activate("chat", versions[0])
    records = store.root / ".serving"
    records.rename(store.root / ".moved")
    records.write_text("in the way")
    with pytest.raises(ConflictError):
        await replica.changes.activate("chat", versions[1])
    assert replica.active("chat") == versions[0]


async def test_a_broken_record_is_told_and_leaves_all_as_it_was(
    replica: Replica, store: Store, versions: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    await replica.changes.activate("chat", versions[0])
    (store.root / ".serving" / "chat.json").write_text("{")
    await replica.changes.watch()
    await replica.changes.watch()
    assert replica.active("chat") == versions[0]
    assert caplog.text.count("is not a record of what 'chat' serves") == 1


@pytest.mark.parametrize(
    "error", [GracefulHTTPError("the engine ended", HTTPStatus.SERVICE_UNAVAILABLE), RuntimeError("a bug")]
)
async def test_what_goes_wrong_with_a_policy_is_told_once_and_holds_up_no_other(
    replica: Replica,
    store: Store,
    versions: list[str],
    error: Exception,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = publish(store, "other", 1).version

    async def probe(lora: LoRARequest) -> None:
        if lora.lora_name.startswith("chat@"):
            raise error

    with monkeypatch.context() as broken:
        broken.setattr(replica.engine, "probe", probe)
        assert [await replica.changes.watch() for _ in range(2)] == [False, False]
    assert (replica.active("chat"), replica.active("other")) == (None, other)
    assert caplog.text.count("watching chat: ") == 1
    assert await replica.changes.watch()
    assert replica.active("chat") == versions[-1]


async def test_following_outlives_a_store_that_cannot_be_read(
    replica: Replica, store: Store, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> list[str]:
        raise OSError("stale file handle")

    other, background = make_replica(store), Background()
    with monkeypatch.context() as broken:
        broken.setattr(store, "policies", fail)
        background.every(0.01, "follow", other.changes.follow)
        await until(lambda: background.failing == ["follow"])
        await replica.changes.activate("chat", versions[0])
    await until(lambda: other.active("chat") == versions[0] and not background.failing)
    background.stop()
