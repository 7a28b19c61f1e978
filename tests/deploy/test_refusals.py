"""Values that would not work are refused before anything is installed, with a message that says what to do."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.chart import CHART, PROFILES, Refused, helm, render

RWO = '"persistence": {"enabled": true, "accessModes": ["ReadWriteOnce"]}'
CONTRADICTIONS = [
    (
        ['autoscaling={"keda": {"enabled": true, "prometheusAddress": "http://p"}, "hpa": {"enabled": true}}'],
        "keda and autoscaling.hpa are both enabled",
    ),
    (['autoscaling={"keda": {"enabled": true}}'], "autoscaling.keda needs autoscaling.keda.prometheusAddress"),
    (['autoscaling={"hpa": {"enabled": true}, "minReplicas": 5}'], "minReplicas exceeds autoscaling.maxReplicas"),
    (
        ['autoscaling={"hpa": {"enabled": true}, "cooldownSeconds": 600}', "startupSeconds=600"],
        "cooldownSeconds must exceed startupSeconds",
    ),
    (["replicas=2", f"modelCache={{{RWO}}}"], "several pods would mount it: use ReadWriteMany, or switch"),
    ([f"modelCache={{{RWO}}}", "strategy.maxSurge=1"], "set maxSurge to 0"),
    (['accelerator="cpu"', "engine.tensorParallel=2"], "engine.tensorParallel and engine.pipelineParallel must be 1"),
    (['accelerator="cpu"', 'runtimeClassName="nvidia"'], "runtimeClassName must be empty"),
    (['accelerator="cpu"', 'model.uri="hf://a/b"'], "name --kv-cache-memory-bytes in engine.extraArgs"),
    (["nodes=3", "engine.tensorParallel=8"], "is 8 GPUs, which nodes=3 does not divide"),
    (["terminationGracePeriodSeconds=130"], "must exceed preStopSeconds plus settings.drain_seconds"),
    (["strategy.maxUnavailable=0"], "no update could ever begin"),
    (['adapters={"enabled": true, "watch": true}', 'model.uri="hf://a/b"'], "not hf://"),
    (['adapters={"enabled": true, "watch": true}', "nodes=2", "engine.tensorParallel=2"], "nodes must be 1"),
    (['adapters={"enabled": true, "watch": true, "readOnly": true}'], "adapters.readOnly must be false"),
    (
        ['adapters={"enabled": true, "readOnly": true}', 'auth={"existingSecret": "s", "adminKeysKey": "k"}'],
        "auth.adminKeysKey opens routes that write",
    ),
    (['adapters={"enabled": true}'], "nobody could activate an adapter"),
    (['settings.gate_prompts="/prompts.jsonl"'], "adapters.enabled is false"),
    (
        [
            'adapters={"enabled": true, "watch": true, "objectStore": {"uri": "s3://b"}}',
            'adapters.persistence.existingClaim="c"',
        ],
        "are two stores: name one",
    ),
    (
        [
            'adapters={"enabled": true, "objectStore": {"uri": "s3://b"}}',
            'auth={"existingSecret": "s", "adminKeysKey": "k"}',
        ],
        "one call can't activate for all: set adapters.watch",
    ),
    (
        [
            'adapters={"enabled": true, "watch": true, "persistence": {"accessModes": ["ReadWriteOnce"]}}',
            "replicas=2",
        ],
        "use ReadWriteMany or adapters.objectStore.uri",
    ),
    (["adapters.watch=true"], "adapters.enabled is false"),
    (['auth.adminKeysKey="k"'], "names a key of auth.existingSecret, which is empty"),
    (
        ["nodes=2", "engine.tensorParallel=2", 'autoscaling={"hpa": {"enabled": true}}'],
        "use autoscaling.keda",
    ),
]


def message(*sets: str) -> str:
    """What helm says to the default values with these changes, on one line."""
    with pytest.raises(Refused) as refusal:
        render(sets=sets)
    return re.sub(r"\s+", " ", str(refusal.value))


@pytest.mark.parametrize(("sets", "said"), CONTRADICTIONS, ids=[said for _, said in CONTRADICTIONS])
def test_a_contradiction_is_refused(sets: list[str], said: str) -> None:
    found = message(*sets)
    assert "these values contradict each other" in found
    assert said in found
    assert found.count(" * ") == 1, "the one mistake is told alone"


def test_all_contradictions_are_told_at_once() -> None:
    assert message("terminationGracePeriodSeconds=1", "adapters.watch=true").count(" * ") == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('accelerator="tpu"', "accelerator"),
        ('model.uri="http://models/a"', "model.uri"),
        ("settings.max_best_of_n=0", "max_best_of_n"),
        ("settings.misspelt=1", "misspelt"),
        ('env=[{"name": "SELFJUDGE_TEMPLATE", "value": "a"}]', "env.0.name"),
        ('sharedMemory="lots"', "sharedMemory"),
        ("adapters.maxRank=7", "maxRank"),
        ("replicas=0", "replicas"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_name(change: str, said: str) -> None:
    assert said in message(change)


def objects(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in the schema that lists its keys, with the path of its values."""
    for name, below in schema.get("properties", {}).items():
        where = f"{path}.{name}".removeprefix(".")
        if "properties" in below:
            yield where, below
        yield from objects(below, where)


def test_every_key_is_in_the_schema_and_no_other_is_allowed() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["$schema"].startswith("http://json-schema.org/draft-07/")
    assert schema["additionalProperties"] is False
    found = dict(objects(schema))
    assert len(found) > 15
    assert [path for path, below in found.items() if below["additionalProperties"] is not False] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_a_misspelt_key_is_refused_in_every_profile(profile: str) -> None:
    with pytest.raises(Refused, match="misspelt"):
        helm("template", CHART, f"--values={PROFILES[profile]}", "--set-json=modelCache.misspelt=1")
