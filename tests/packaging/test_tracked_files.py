"""What is committed speaks of the project alone, and stays small."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.packaging.project import ROOT, tracked_files

FORBIDDEN = {
    "a path of one machine": r"(?<![\w./-])/(?:root|home|Users|work|workspace|mnt)/\w",
    "a package index": r"https?://[^\s\"'`]*(?:/simple\b|pypi\.org|pythonhosted|download\.pytorch|artifactory|nexus)",
    "a credential in an address": r"https?://[^\s/@\"'`]+:[^\s/@\"'`]+@",
    "a secret": r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:hf_|ghp_|sk-)[A-Za-z0-9]{20,}",
}
WEIGHTS_BYTES = 16_000_000  # of all models together
LINES = 400
FILES = 12


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    return tracked_files()


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str, tracked: list[Path]) -> None:
    pattern = re.compile(FORBIDDEN[what].encode())
    found = {path.relative_to(ROOT): match[0] for path in tracked if (match := pattern.search(path.read_bytes()))}
    assert found == {}


def test_one_concept_per_file(tracked: list[Path]) -> None:
    long = {path.name for path in tracked if path.suffix == ".py" and len(path.read_text().splitlines()) > LINES}
    assert long == set()


def test_a_folder_holds_no_more_files_than_can_be_taken_in(tracked: list[Path]) -> None:
    code = [path.parent.relative_to(ROOT) for path in tracked if path.suffix == ".py" and path.name != "__init__.py"]
    assert {str(folder): count for folder, count in Counter(code).items() if count > FILES} == {}


@pytest.mark.parametrize("package", ["selfjudge", "service", "training", "experiments", "loadtests"])
def test_no_two_modules_of_a_package_have_one_name(package: str, tracked: list[Path]) -> None:
    modules = [path.name for path in tracked if path.suffix == ".py" and path.is_relative_to(ROOT / package)]
    assert {name for name, count in Counter(modules).items() if count > 1} <= {"__init__.py", "__main__.py"}


def test_every_module_says_what_it_is_for(tracked: list[Path]) -> None:
    modules = [path for path in tracked if path.suffix == ".py" and path.read_text().strip()]
    assert [path.name for path in modules if not re.match(r'(#!.*\n)?r?"""\S', path.read_text())] == []


def test_weights_are_small(tracked: list[Path]) -> None:
    weights = [path for path in tracked if path.suffix == ".safetensors"]
    assert weights
    assert sum(path.stat().st_size for path in weights) <= WEIGHTS_BYTES
