"""What the installed distribution says of itself is true."""

import re
from importlib.metadata import EntryPoint, distribution, entry_points

import pytest
from vllm.plugins.endpoint_plugins.interface import EndpointPlugin

from tests.packaging.project import PYPROJECT, ROOT

DISTRIBUTION = distribution("selfjudge")


def test_versions_agree() -> None:
    version = PYPROJECT["project"]["version"]
    newest = re.search(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version == DISTRIBUTION.version


@pytest.mark.parametrize("entry_point", DISTRIBUTION.entry_points, ids=lambda entry_point: entry_point.value)
def test_entry_points_resolve(entry_point: EntryPoint) -> None:
    assert callable(entry_point.load())


def test_vllm_finds_an_endpoint_plugin() -> None:
    (entry_point,) = entry_points(group="vllm.endpoint_plugins", name="selfjudge")
    plugin = entry_point.load()()
    assert isinstance(plugin, EndpointPlugin)
    assert plugin.name == "selfjudge"
