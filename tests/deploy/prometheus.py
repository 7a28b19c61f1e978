"""promtool and Prometheus, the alerts, the dashboard, and what they ask of our metrics.

`make tools` puts the programs into build/tools; a test that needs them and doesn't find them fails.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from os import environ
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "deploy" / "helm" / "selfjudge"
ALERTS: Final = CHART / "alerts" / "selfjudge.yaml"
DASHBOARD: Final = CHART / "dashboards" / "selfjudge.json"
ALERT_TESTS: Final = Path(__file__).with_name("alerts.yaml")

_SELECTOR = re.compile(r"(?P<name>\b(?:selfjudge_|vllm:|process_)[a-z_]+)(?:\{(?P<matchers>[^}]*)\})?")
_MATCHER = re.compile(r'(?P<label>\w+)\s*(?P<operator>=~|!~|!=|=)\s*"(?P<value>[^"]*)"')


class Selector(NamedTuple):
    """A series that a query reads, and its conditions on labels of ours."""

    name: str
    labels: dict[str, tuple[str, str]]
    """Operator and value by label, without those that Prometheus adds when it scrapes."""


def program(name: str) -> str:
    """The path of promtool or prometheus."""
    found = shutil.which(name, path=f"{environ['PATH']}:{ROOT / 'build' / 'tools'}")
    assert found, f"{name} is missing: run `make tools`"
    return found


def promtool(*arguments: str | Path) -> str:
    """Runs promtool in the folder of its tests and returns what it printed; a failure fails the test."""
    done = subprocess.run(
        [program("promtool"), *arguments], cwd=ALERT_TESTS.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alerts() -> list[dict[str, Any]]:
    """Every alert."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def queries() -> dict[str, str]:
    """Every query of the dashboard, by panel and legend."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return {
        f"{panel['title']}: {target['legendFormat']}": target["expr"]
        for panel in panels
        for target in panel.get("targets", [])
    }


def selectors(query: str) -> Iterator[Selector]:
    """The series that a query reads."""
    for found in _SELECTOR.finditer(query):
        matchers = {one["label"]: (one["operator"], one["value"]) for one in _MATCHER.finditer(found["matchers"] or "")}
        yield Selector(found["name"], {name: matchers[name] for name in matchers if name not in ("job", "instance")})
