"""The compose files start what they say: hardened services, our alerts and dashboards, images that are pinned."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from tests.packaging.project import ROOT

DOCKER: Final = ROOT / "docker"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]


def mounted(service: str) -> dict[str, Path]:
    """Files and folders of the checkout in a service, by where they are there."""
    bound = (volume.split(":") for volume in SERVICES[service]["volumes"] if volume.startswith("."))
    return {target: (DOCKER / source).resolve() for source, target, mode in bound if mode == "ro"}


def test_every_service_is_hardened_and_heard_by_this_machine_only() -> None:
    for service in SERVICES.values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_images_of_others_are_pinned() -> None:
    others = [service["image"] for name, service in SERVICES.items() if name != "server"]
    assert all(re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", image) for image in others)


def test_prometheus_reads_the_server_and_the_alerts() -> None:
    config = yaml.safe_load((DOCKER / "prometheus.yaml").read_text())
    assert config["scrape_configs"][0]["static_configs"][0]["targets"] == ["server:8000"]
    (pattern,) = config["rule_files"]
    alerts = mounted("prometheus")[str(Path(pattern).parent)]
    assert alerts == ROOT / "deploy" / "helm" / "selfjudge" / "alerts"
    assert list(alerts.glob("*.yaml"))


def test_grafana_reads_the_dashboards() -> None:
    files = mounted("grafana")
    (provider,) = yaml.safe_load((DOCKER / "grafana" / "dashboards.yaml").read_text())["providers"]
    assert files[provider["options"]["path"]] == ROOT / "deploy" / "helm" / "selfjudge" / "dashboards"
    assert all(path.exists() for target, path in files.items() if target != provider["options"]["path"])
    (source,) = yaml.safe_load((DOCKER / "grafana" / "datasource.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"


def test_the_gpu_file_changes_the_server_only() -> None:
    override = yaml.safe_load((DOCKER / "compose.cuda.yaml").read_text())
    assert override["services"].keys() == {"server"}
    assert (ROOT / override["services"]["server"]["build"]["dockerfile"]).is_file()
