"""What `GET /v1/adapters` tells: every version in the store, what this replica does with it, and what others serve."""

from typing import Any, Literal

from selfjudge.adapters.manifest import Manifest
from selfjudge.adapters.store import Store
from service.adapters.registry import Adapters, Key
from service.adapters.replicas import Replicas

State = Literal["active", "canary", "previous", "retiring", "refused", "stored"]


def report(store: Store, adapters: Adapters, replicas: Replicas) -> dict[str, Any]:
    """All policies, their versions oldest first, and all replicas. Reads every manifest of the store."""
    policies = sorted({*store.policies(), *adapters.policies()})
    return {
        "object": "list",
        "replica": replicas.name,
        "replicas": [note.model_dump(mode="json") for note in replicas.notes()],
        "data": [_policy(policy, store.versions(policy), adapters) for policy in policies],
    }


def _policy(policy: str, versions: list[Manifest], adapters: Adapters) -> dict[str, Any]:
    record = adapters.record(policy)
    return {
        "policy": policy,
        "active": record.active,
        "previous": record.previous,
        "canaries": record.canaries,
        "versions": [_version(manifest, adapters) for manifest in versions],
    }


def _version(manifest: Manifest, adapters: Adapters) -> dict[str, Any]:
    key = Key(manifest.policy, manifest.version)
    return {
        "version": manifest.version,
        "model": str(key),
        "state": _state(key, adapters),
        "in_flight": adapters.in_flight(key),
        "refused": adapters.refused.get(key),
        **manifest.model_dump(mode="json", include={"created", "parent", "rank", "template", "metrics"}),
    }


def _state(key: Key, adapters: Adapters) -> State:
    record = adapters.record(key.policy)
    if not adapters.is_loaded(key):
        return "refused" if key in adapters.refused else "stored"
    if key.version == record.active:
        return "active"
    if key.version in record.canaries:
        return "canary"
    return "previous" if key.version == record.previous else "retiring"
