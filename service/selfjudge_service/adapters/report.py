"""What `GET /v1/adapters` tells: every version in the store, what this replica does with it, and what others serve."""

from typing import Any, Literal

from selfjudge.adapters.manifest import Manifest
from selfjudge.adapters.store import Store
from selfjudge_service.adapters.gate_results import GateResults
from selfjudge_service.adapters.registry import Adapters, Key
from selfjudge_service.adapters.replicas import Replicas

State = Literal["active", "canary", "previous", "gate", "retiring", "refused", "stored"]


def report(store: Store, adapters: Adapters, replicas: Replicas) -> dict[str, Any]:
    """All policies, their versions oldest first, and all replicas. Reads every manifest and result of the gate."""
    policies, results = sorted({*store.policies(), *adapters.policies()}), GateResults(store.root)
    return {
        "object": "list",
        "replica": replicas.name,
        "replicas": [note.model_dump(mode="json") for note in replicas.notes()],
        "data": [_policy(policy, store.versions(policy), adapters, results) for policy in policies],
    }


def _policy(policy: str, versions: list[Manifest], adapters: Adapters, results: GateResults) -> dict[str, Any]:
    record = adapters.record(policy)
    return {
        "policy": policy,
        "active": record.active,
        "previous": record.previous,
        "canaries": record.canaries,
        "versions": [_version(manifest, adapters, results) for manifest in versions],
    }


def _version(manifest: Manifest, adapters: Adapters, results: GateResults) -> dict[str, Any]:
    key, result = Key(manifest.policy, manifest.version), results.read(manifest.policy, manifest.version)
    return {
        "version": manifest.version,
        "model": str(key),
        "state": _state(key, adapters),
        "in_flight": adapters.in_flight(key),
        "refused": adapters.refused.get(key),
        "gate": result.model_dump(mode="json") if result else None,
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
    if key.version == record.previous:
        return "previous"
    return "gate" if key in adapters.at_gate else "retiring"
