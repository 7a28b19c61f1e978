"""Every name that is imported from vLLM is there in each version that pyproject.toml admits."""

import ast
import json
import re
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from scripts.vllm_names import RECORDS, Import, imports_in, sources
from tests.packaging.project import EXTRAS

Names = dict[str, list[str] | None]

VERSIONS = {Version(path.stem): path for path in RECORDS.glob("*.json")}
ADMITTED = next(one.specifier for one in map(Requirement, EXTRAS["cuda"]) if one.name == "vllm")


def unmet(tree: ast.AST, names: Names) -> Iterator[Import]:
    """Imports that fail with these names, but for those that another is tried in place of."""
    tries = [node for node in ast.walk(tree) if isinstance(node, ast.Try) and _expects_no_module(node)]
    covered = {one for node in tries for one in imports_in(node)}
    for one in set(imports_in(tree)) - covered:
        if not _met(one, names):
            yield one
    for node in tries:
        ways = [ast.Module(body=body, type_ignores=[]) for body in (node.body, *(one.body for one in node.handlers))]
        if not any(all(_met(one, names) for one in imports_in(way)) for way in ways):
            yield from imports_in(node)


def _expects_no_module(node: ast.Try) -> bool:
    return any(isinstance(one.type, ast.Name) and one.type.id == "ModuleNotFoundError" for one in node.handlers)


def _met(one: Import, names: Names) -> bool:
    found = names[one.module]
    return found is not None and (one.name is None or one.name in found)


@pytest.mark.parametrize("version", sorted(VERSIONS), ids=str)
def test_what_is_imported_is_there(version: Version) -> None:
    names: Names = json.loads(VERSIONS[version].read_text())
    asked = {path: ast.parse(path.read_text()) for path in sources()}
    unknown = {one.module for tree in asked.values() for one in imports_in(tree)} - names.keys()
    assert not unknown, "run scripts/vllm_names.py again: the record doesn't say"
    missing = {path.name: lacking for path, tree in asked.items() if (lacking := list(unmet(tree, names)))}
    assert missing == {}


def test_the_newest_admitted_version_is_recorded() -> None:
    upper = re.search(r"<([\d.]+)", str(ADMITTED))
    assert upper, "without an upper bound, versions nobody has looked at would be installed"
    assert all(version in ADMITTED for version in VERSIONS)
    newest = max(VERSIONS)
    assert Version(upper[1]) == Version(f"{newest.major}.{newest.minor + 1}")


def test_a_module_that_moved_is_noticed() -> None:
    names: Names = {"vllm.old": None, "vllm.new": ["f"], "vllm": ["A"]}
    tried = "try:\n from vllm.old import f\nexcept ModuleNotFoundError:\n from vllm.new import {}"
    assert list(unmet(ast.parse("from vllm.old import f"), names)) == [Import("vllm.old", "f")]
    assert list(unmet(ast.parse("def g():\n from vllm import B"), names)) == [Import("vllm", "B")]
    assert list(unmet(ast.parse(tried.format("f")), names)) == []
    assert len(list(unmet(ast.parse(tried.format("h")), names))) == 2
    assert list(unmet(ast.parse("import vllm.old"), names)) == [Import("vllm.old", None)]
