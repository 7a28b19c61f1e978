"""A store holds whole versions and nothing else, whoever publishes, is killed or meddles."""

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from selfjudge.adapters import AdapterError, Base, Manifest, Store, read_base
from selfjudge.adapters import store as store_module
from selfjudge.adapters.manifest import MANIFEST
from tests.selfjudge.adapters.files import CONFIG, WEIGHTS, reconfigure, write_adapter, write_base


def publish(store: Store, adapter: Path, base: Base, policy: str = "judge") -> Manifest:
    return store.publish(policy, adapter, base=base, template="ultrafeedback")


def in_child(work: Callable[[], object]) -> int:
    """Run in a process of its own; returns its id."""
    child = os.fork()
    if child == 0:
        status = 1
        with suppress(BaseException):
            work()
            status = 0
        os._exit(status)
    return child


def status_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_what_is_published_is_listed_as_it_was(store: Store, adapter: Path, base: Base) -> None:
    first = store.publish(
        "judge", adapter, base=base, template="ultrafeedback", metrics={"accuracy": 0.75}, recipe={"seed": 1}
    )
    (adapter / "optimizer.pt").touch()
    other = write_adapter(adapter.with_name("other"), seed=1)
    second = store.publish("judge", other, base=base, template="ultrafeedback", parent=first.version)
    publish(store, adapter, base, "another.policy-2")
    assert store.policies() == ["another.policy-2", "judge"]
    assert store.versions("judge") == [first, second]
    assert (first.rank, first.base, dict(first.metrics), dict(first.recipe)) == (
        2,
        base.fingerprint,
        {"accuracy": 0.75},
        {"seed": 1},
    )
    assert (second.parent, second.name) == (first.version, f"judge@{second.version}")
    assert store.verify("judge", first.version) == store.validate("judge", first.version, base, 8) == first
    assert {path.name for path in store.folder("judge", first.version).iterdir()} == {MANIFEST, CONFIG, WEIGHTS}


def test_a_store_that_is_not_there_is_empty(store: Store) -> None:
    assert not store.policies()
    assert not store.versions("judge")


def test_the_same_content_is_one_version(store: Store, adapter: Path, base: Base) -> None:
    first = publish(store, adapter, base)
    assert publish(store, adapter, base) == first
    reconfigure(adapter, target_modules=["down_proj", "v_proj", "q_proj"])  # PEFT's order is a matter of chance
    assert publish(store, adapter, base) == first
    assert store.versions("judge") == [first]


def test_other_content_and_other_bases_are_other_versions(
    store: Store, adapter: Path, base: Base, tmp_path: Path
) -> None:
    names = {publish(store, adapter, base).version}
    names.add(publish(store, adapter, read_base(write_base(tmp_path / "other", seed=1))).version)
    reconfigure(adapter, lora_alpha=8)
    names.add(publish(store, adapter, base).version)
    assert len(names) == len(store.versions("judge")) == 3


def test_what_is_bad_leaves_nothing(store: Store, adapter: Path, base: Base) -> None:
    reconfigure(adapter, use_dora=True)
    with pytest.raises(AdapterError, match=rf"^{re.escape(str(adapter))}/adapter_config.json .*use_dora"):
        publish(store, adapter, base)
    assert store.policies() == []
    assert list((store.root / "judge").iterdir()) == []


def test_a_parent_has_to_be_there(store: Store, adapter: Path, base: Base) -> None:
    with pytest.raises(AdapterError, match="has no version 0123456789abcdef of judge") as caught:
        store.publish("judge", adapter, base=base, template="ultrafeedback", parent="0123456789abcdef")
    assert caught.value.reason == "unknown"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../judge", "a/b", "/etc", "a\\b", "Judge", "judge\n", "a\0b", "-a", ".partial-1", "a" * 65]
)
def test_names_lead_nowhere_else(store: Store, adapter: Path, base: Base, name: str) -> None:
    """Nor do two names differ in upper and lower case only, which some file systems take for one."""
    version = publish(store, adapter, base).version
    for call in (
        lambda: publish(store, adapter, base, name),
        lambda: store.versions(name),
        lambda: store.verify(name, version),
        lambda: store.verify("judge", name),
        lambda: store.folder("judge", f"../judge/{version}"),
        lambda: store.remove("judge", version.upper() + name),
    ):
        with pytest.raises(AdapterError) as caught:
            call()
        assert caught.value.reason == "name"
    assert store.policies() == ["judge"]


def test_links_out_of_the_store_are_not_followed(store: Store, adapter: Path, base: Base, tmp_path: Path) -> None:
    version = publish(store, adapter, base).version
    inside = store.folder("judge", version)
    outside = inside.rename(tmp_path / version)
    inside.symlink_to(outside)
    (store.root / "linked").symlink_to(tmp_path)
    assert store.versions("judge") == store.versions("linked") == []
    assert store.policies() == []
    for policy in ("judge", "linked"):
        with pytest.raises(AdapterError, match="symbolic link"):
            store.verify(policy, version)
    with pytest.raises(AdapterError, match="symbolic link"):
        publish(store, adapter, base)
    assert outside.is_dir()


def other_weights(folder: Path) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)


def linked_weights(folder: Path) -> None:
    moved = (folder / WEIGHTS).rename(folder.parents[2] / "moved")
    (folder / WEIGHTS).symlink_to(moved)


def edited_manifest(folder: Path, **values: object) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def forged_checksums(folder: Path) -> None:
    """Weights are replaced, and their checksum in the manifest with them."""
    other_weights(folder)
    files = {name: store_module._checksum(folder / name) for name in (CONFIG, WEIGHTS)}
    edited_manifest(folder, files=files)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "replaced weights": (other_weights, "checksum"),
    "replaced config": (lambda folder: reconfigure(folder, lora_alpha=99), "checksum"),
    "missing weights": (lambda folder: (folder / WEIGHTS).unlink(), "files"),
    "one file more": (lambda folder: (folder / "adapter_model.bin").touch(), "files"),
    "linked weights": (linked_weights, "files"),
    "forged checksums": (forged_checksums, "manifest"),
    "other base": (lambda folder: edited_manifest(folder, base="0" * 64), "manifest"),
    "other policy": (lambda folder: edited_manifest(folder, policy="other"), "manifest"),
    "NaN for a metric": (lambda folder: edited_manifest(folder, metrics={"accuracy": float("nan")}), "manifest"),
    "no manifest": (lambda folder: (folder / MANIFEST).unlink(), "manifest"),
    "half a manifest": (lambda folder: (folder / MANIFEST).write_text("{"), "manifest"),
    "a huge manifest": (lambda folder: (folder / MANIFEST).write_text(" " * (2 << 20)), "manifest"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_noticed(store: Store, adapter: Path, base: Base, kind: str) -> None:
    version = store.validate("judge", publish(store, adapter, base).version, base).version
    damage, reason = DAMAGES[kind]
    damage(store.folder("judge", version))
    with pytest.raises(AdapterError) as on_verifying:
        store.verify("judge", version)
    with pytest.raises(AdapterError) as on_publishing:
        publish(store, adapter, base)
    assert on_verifying.value.reason == on_publishing.value.reason == reason


def test_a_version_without_manifest_is_left_out_and_logged_once(
    store: Store, adapter: Path, base: Base, caplog: pytest.LogCaptureFixture
) -> None:
    version = publish(store, adapter, base).version
    (store.folder("judge", version) / MANIFEST).unlink()
    assert store.versions("judge") == store.versions("judge") == []
    assert [record.getMessage().count(version) > 0 for record in caplog.records] == [True]


def test_another_base_is_refused(store: Store, adapter: Path, base: Base, tmp_path: Path) -> None:
    """Of the same shapes, so that nothing but the fingerprint tells."""
    version = publish(store, adapter, base).version
    other = read_base(write_base(tmp_path / "other", seed=1))
    assert other.shapes == base.shapes
    with pytest.raises(AdapterError, match="was trained on a base model with fingerprint") as caught:
        store.validate("judge", version, other)
    assert caught.value.reason == "base"


def test_removing(store: Store, adapter: Path, base: Base) -> None:
    version = publish(store, adapter, base).version
    store.remove("judge", version)
    assert not any((store.policies(), store.versions("judge"), list((store.root / "judge").iterdir())))
    with pytest.raises(AdapterError) as caught:
        store.remove("judge", version)
    assert caught.value.reason == "unknown"
    assert publish(store, adapter, base).version == version


def killed_at(line: int, work: Callable[[], object]) -> Callable[[], None]:
    """Work whose process is killed, beyond any clean-up, before a given number of lines of the store have run."""
    left = line

    def trace(frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401  itself; no type says so
        nonlocal left
        if frame.f_code.co_filename != store_module.__file__:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    def run() -> None:
        sys.settrace(trace)
        work()

    return run


@pytest.mark.parametrize("work", ["publish", "remove"])
def test_killed_at_any_line(adapter: Path, base: Base, tmp_path: Path, work: str) -> None:
    """There is a whole version or none, and who comes next is not kept from publishing."""

    def status(store: Store, line: int) -> int:
        if work == "publish":
            return status_of(in_child(killed_at(line, lambda: publish(store, adapter, base))))
        version = publish(store, adapter, base).version
        return status_of(in_child(killed_at(line, lambda: store.remove("judge", version))))

    listed = set()
    for line in range(1000):
        store = Store(tmp_path / f"store-{line}")
        ended = status(store, line)
        found = store.versions("judge")
        listed.add(len(found))
        for manifest in found:
            assert store.verify("judge", manifest.version) == manifest
        store.verify("judge", publish(store, adapter, base).version)
        if ended == 0:
            assert line > 10
            break
        assert ended == -signal.SIGKILL
    else:
        pytest.fail("it never came to its end")
    assert listed == {0, 1}


def test_many_publish_at_once(store: Store, base: Base, tmp_path: Path) -> None:
    """Four processes publish the same three versions, all beginning when the last of them is there."""
    adapters = [write_adapter(tmp_path / f"adapter-{seed}", seed) for seed in range(3)]
    waiting, start = os.pipe()

    def work() -> None:
        os.close(start)
        os.read(waiting, 1)  # ends when the parent closes its side
        for adapter in adapters:
            publish(store, adapter, base)

    children = [in_child(work) for _ in range(4)]
    os.close(start)
    os.close(waiting)
    assert [status_of(child) for child in children] == [0] * 4
    versions = [manifest.version for manifest in store.versions("judge")]
    assert len(versions) == 3
    assert {path.name for path in (store.root / "judge").iterdir()} == set(versions)
    for version in versions:
        store.verify("judge", version)


def test_what_the_killed_left_goes_after_a_day(store: Store, adapter: Path, base: Base) -> None:
    publish(store, adapter, base)
    folder = store.root / "judge"
    for name, days in ((".partial-old", 2), (".partial-new", 0)):
        (folder / name).mkdir()
        then = (folder / name).stat().st_mtime - days * 24 * 3600
        os.utime(folder / name, (then, then))
    publish(store, adapter, base)
    assert [path.name for path in folder.glob(".partial-*")] == [".partial-new"]
