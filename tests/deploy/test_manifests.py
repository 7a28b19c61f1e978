"""Every manifest that a profile renders is valid: Kubernetes' own kinds by its schemas, others by those beside this."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # stubs are a package of their own
import kubernetes_validate  # type: ignore[import-untyped]  # has no types
import pytest
import yaml
from selfjudge_service.settings import Settings

from tests.deploy.chart import CHART, KUBERNETES, PROFILES, VARIANTS, manifests, render

Manifest = dict[str, Any]
CRDS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "crds").glob("*.json")}
ALL = PROFILES | VARIANTS


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[Manifest]]:
    """The manifests of each profile and variant."""
    return {name: manifests(render(values)) for name, values in ALL.items()}


def templates_of(manifest: Manifest) -> Iterator[Manifest]:
    """The pods that a manifest starts."""
    match manifest["kind"]:
        case "Pod":
            yield manifest
        case "Deployment":
            yield manifest["spec"]["template"]
        case "LeaderWorkerSet":
            yield manifest["spec"]["leaderWorkerTemplate"]["leaderTemplate"]
            yield manifest["spec"]["leaderWorkerTemplate"]["workerTemplate"]


def pods(found: list[Manifest]) -> list[Manifest]:
    return [pod for manifest in found for pod in templates_of(manifest)]


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def server(found: list[Manifest]) -> Manifest:
    (container,) = [one for pod in pods(found) for one in containers(pod) if one["name"] == "server"]
    return container


def of_kind(found: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in found if manifest["kind"] == kind]


@pytest.mark.parametrize("name", ALL)
def test_kubernetes_would_take_it(rendered: dict[str, list[Manifest]], name: str) -> None:
    for manifest in rendered[name]:
        if (kind := manifest["kind"]) in CRDS:
            jsonschema.validate(manifest, CRDS[kind])
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
        for pod in templates_of(manifest):
            whole = {"apiVersion": "v1", "kind": "Pod", "metadata": pod["metadata"], "spec": pod["spec"]}
            kubernetes_validate.validate(whole, KUBERNETES, strict=True)


@pytest.mark.parametrize("kind", CRDS)
def test_a_custom_resource_is_rendered_and_its_schema_refuses_what_it_does_not_know(
    rendered: dict[str, list[Manifest]], kind: str
) -> None:
    (manifest, *_) = [one for found in rendered.values() for one in of_kind(found, kind)]
    manifest = json.loads(json.dumps(manifest))
    manifest["spec"]["misspelt"] = 1
    with pytest.raises(jsonschema.ValidationError, match="misspelt"):
        jsonschema.validate(manifest, CRDS[kind])


@pytest.mark.parametrize("name", ALL)
def test_names_are_unique(rendered: dict[str, list[Manifest]], name: str) -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in rendered[name]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ALL)
def test_every_pod_is_hardened(rendered: dict[str, list[Manifest]], name: str) -> None:
    for pod in pods(rendered[name]):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]
            mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounts <= {volume["name"] for volume in spec.get("volumes", [])}


@pytest.mark.parametrize("name", ALL)
def test_settings_reach_the_server_by_names_and_values_that_it_takes(
    rendered: dict[str, list[Manifest]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config,) = [one for one in of_kind(rendered[name], "ConfigMap") if one["metadata"]["name"].endswith("-settings")]
    given = dict(config["data"])
    given |= {one["name"]: "secret" for one in server(rendered[name])["env"] if one["name"].startswith("SELFJUDGE_")}
    assert {variable.removeprefix("SELFJUDGE_").lower() for variable in given} <= Settings.model_fields.keys()
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    settings = Settings()
    assert str(settings.drain_seconds) == str(float(config["data"]["SELFJUDGE_DRAIN_SECONDS"]))


@pytest.mark.parametrize("name", ALL)
def test_a_pod_outlives_its_drain_and_a_start_may_take_the_load(rendered: dict[str, list[Manifest]], name: str) -> None:
    (pod,) = [one for one in pods(rendered[name]) if any(each["name"] == "server" for each in containers(one))]
    (config,) = [one for one in of_kind(rendered[name], "ConfigMap") if one["metadata"]["name"].endswith("-settings")]
    container = server(rendered[name])
    asleep = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = float(config["data"]["SELFJUDGE_DRAIN_SECONDS"])
    assert pod["spec"]["terminationGracePeriodSeconds"] > asleep + drain
    probes = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert probes == {"startup": "/live", "liveness": "/live", "readiness": "/ready"}
    startup = container["startupProbe"]["failureThreshold"] * container["startupProbe"]["periodSeconds"]
    for autoscaler in of_kind(rendered[name], "ScaledObject"):
        assert autoscaler["spec"]["cooldownPeriod"] > startup


def test_workers_stay_until_their_leader_has_drained(rendered: dict[str, list[Manifest]]) -> None:
    leader, worker = (one["spec"] for one in pods(rendered["several-nodes"]) if "terminationGrace" in str(one))
    assert worker["terminationGracePeriodSeconds"] == leader["terminationGracePeriodSeconds"]
    (container,) = worker["containers"]
    assert "LWS_LEADER_ADDRESS/6379" in container["lifecycle"]["preStop"]["exec"]["command"][-1]


@pytest.mark.parametrize("name", ALL)
def test_gpus_asked_for_are_those_of_the_parallelism(rendered: dict[str, list[Manifest]], name: str) -> None:
    wanted = {"cpu": None, "tensor-parallel": "4", "several-nodes": "8"}.get(name, "1")
    for pod in pods(rendered[name]):
        for container in containers(pod):
            if container["name"] in ("server", "worker"):
                gpus = [container["resources"][kind].get("nvidia.com/gpu") for kind in ("requests", "limits")]
                assert gpus == [wanted, wanted]
    if name == "tensor-parallel":
        assert "--tensor-parallel-size=4" in server(rendered[name])["args"]


def test_secrets_are_only_named(rendered: dict[str, list[Manifest]]) -> None:
    assert not [one for found in rendered.values() for one in of_kind(found, "Secret")]
    keys = {one["name"]: one for one in server(rendered["many-replicas"])["env"]}
    assert keys["SELFJUDGE_API_KEYS"]["valueFrom"]["secretKeyRef"] == {"name": "selfjudge-keys", "key": "api-keys"}
    assert keys["SELFJUDGE_ADMIN_KEYS"]["valueFrom"]["secretKeyRef"]["key"] == "admin-keys"


def test_keda_scales_on_our_queue(rendered: dict[str, list[Manifest]]) -> None:
    (scaled,) = of_kind(rendered["many-replicas"], "ScaledObject")
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    assert "sum(selfjudge_queue_length{" in query
    assert "sum(selfjudge_tournaments_running{" in query
    (deployment,) = of_kind(rendered["many-replicas"], "Deployment")
    assert "replicas" not in deployment["spec"], "else each upgrade would undo what the autoscaler did"


def test_kubernetes_own_autoscaler_reads_the_same_metrics(rendered: dict[str, list[Manifest]]) -> None:
    (scaler,) = of_kind(rendered["hpa"], "HorizontalPodAutoscaler")
    names = {one["pods"]["metric"]["name"] for one in scaler["spec"]["metrics"]}
    assert names == {"selfjudge_queue_length", "selfjudge_tournaments_running"}
    (deployment,) = of_kind(rendered["hpa"], "Deployment")
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]


def test_prometheus_is_pointed_at_the_service(rendered: dict[str, list[Manifest]]) -> None:
    (monitor,) = of_kind(rendered["many-replicas"], "ServiceMonitor")
    (service,) = of_kind(rendered["many-replicas"], "Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert (endpoint["path"], endpoint["port"]) == ("/metrics", service["spec"]["ports"][0]["name"])


def test_replicas_are_spread(rendered: dict[str, list[Manifest]]) -> None:
    (deployment,) = of_kind(rendered["many-replicas"], "Deployment")
    spread = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["kubernetes.io/hostname"]


def test_an_uninstall_keeps_weights_and_pods_mount_what_is_claimed(rendered: dict[str, list[Manifest]]) -> None:
    for found in rendered.values():
        claims = {one["metadata"]["name"]: one for one in of_kind(found, "PersistentVolumeClaim")}
        kept = [one["metadata"]["annotations"]["helm.sh/resource-policy"] for one in claims.values()]
        assert set(kept) <= {"keep"}
        mounted = {
            volume["persistentVolumeClaim"]["claimName"]
            for pod in pods(found)
            for volume in pod["spec"].get("volumes", [])
            if "persistentVolumeClaim" in volume
        }
        assert claims.keys() <= mounted


def test_a_model_and_a_store_that_is_only_followed_are_mounted_to_be_read(rendered: dict[str, list[Manifest]]) -> None:
    read_only = {
        (name, mount["name"]): mount.get("readOnly", False)
        for name in ("hpa", "many-replicas")
        for mount in server(rendered[name])["volumeMounts"]
    }
    assert read_only["many-replicas", "model"]
    assert read_only["hpa", "adapters"]
    assert not read_only["many-replicas", "adapters"]


def test_alerts_and_dashboards_are_the_files_of_the_chart(rendered: dict[str, list[Manifest]]) -> None:
    (rule,) = of_kind(rendered["many-replicas"], "PrometheusRule")
    files = [yaml.safe_load(path.read_text()) for path in sorted((CHART / "alerts").glob("*.yaml"))]
    assert rule["spec"]["groups"] == [group for file in files for group in file["groups"]]
    configs = of_kind(rendered["many-replicas"], "ConfigMap")
    found = {name: text for one in configs for name, text in one["data"].items() if name.endswith(".json")}
    boards = {path.name: path.read_text() for path in (CHART / "dashboards").glob("*.json")}
    assert {name: json.loads(text) for name, text in found.items()} == {
        name: json.loads(text) for name, text in boards.items()
    }
    assert found


def test_changed_settings_change_the_pods(rendered: dict[str, list[Manifest]]) -> None:
    changed = manifests(render(ALL["cpu"], sets=('settings={"drain_seconds": 31}',)))
    before, after = (of_kind(one, "Deployment")[0]["spec"]["template"] for one in (rendered["cpu"], changed))
    assert before["metadata"]["annotations"] != after["metadata"]["annotations"]


def test_the_test_pod_is_a_hook_that_runs_a_program(rendered: dict[str, list[Manifest]]) -> None:
    (pod,) = of_kind(rendered["cpu"], "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    ast.parse(pod["spec"]["containers"][0]["args"][0])
