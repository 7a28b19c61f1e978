"""Runs helm on the chart. Leaves out what helm's output must look like, which is the tests' to say.

helm is a static binary that npm carries; `make tools` puts it where this looks after PATH. Where it is missing the
tests are skipped, but fail in CI, which must never pass without having looked.
"""

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from selfjudge_service.settings import Settings

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "deploy" / "helm" / "selfjudge"
# Renders that are known to the letter: of all, these two show most.
GOLDEN: Final = {path.stem: path for path in sorted((Path(__file__).parent / "golden").glob("*.yaml"))}
PROFILES: Final = {path.stem: path for path in sorted((CHART / "profiles").glob("*.yaml"))}
# Values that no profile has, so that every template is rendered somewhere.
VARIANTS: Final = {path.stem: path for path in sorted((Path(__file__).parent / "values").glob("*.yaml"))}
TOOLS: Final = ROOT / "build" / "tools" / "node_modules" / ".bin"
KUBERNETES: Final = "1.31.0"

# The chart sets these itself, from keys of their own: they hold secrets, or paths of what it mounts.
CHARTS_OWN: Final = frozenset(
    {"adapters_dir", "adapters_watch", "admin_keys", "api_keys", "bracket_log", "templates_dir"}
)


class Refused(Exception):  # noqa: N818  helm's own word would be "error", and this one is expected
    """helm refused the values; its message."""


def helm(*arguments: str | Path) -> str:
    """Runs helm and returns what it printed.

    Raises:
        Refused: if it exits with another status than 0.
    """
    program = shutil.which("helm") or shutil.which("helm", path=str(TOOLS))
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("helm is missing: make tools")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


@functools.cache
def render(*values: Path, sets: tuple[str, ...] = ()) -> str:
    """All manifests of a release called `judge` in the namespace `llm`, as YAML."""
    files = [f"--values={path}" for path in values]
    return helm(
        "template",
        "judge",
        CHART,
        "--namespace=llm",
        f"--kube-version={KUBERNETES}",
        "--api-versions=monitoring.coreos.com/v1",
        *files,
        *(f"--set-json={one}" for one in sets),
    )


def golden(values: Path) -> str:
    """What is kept of a render: all but alerts and dashboards, which are files of the chart already."""
    return render(values, sets=("prometheusRule.enabled=false", "dashboards.enabled=false"))


def manifests(rendered: str) -> list[dict[str, Any]]:
    """The manifests in helm's output."""
    return [manifest for manifest in yaml.safe_load_all(rendered) if manifest]


def settings_schema() -> dict[str, Any]:
    """What values.schema.json says of `settings`: each field of Settings that the chart does not set itself."""
    properties = Settings.model_json_schema()["properties"]
    kept = ("type", "anyOf", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "description")
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {key: schema[key] for key in kept if key in schema}
            for name, schema in sorted(properties.items())
            if name not in CHARTS_OWN
        },
        "required": ["drain_seconds"],
    }
