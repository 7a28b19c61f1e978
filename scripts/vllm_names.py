"""Records what a wheel of vLLM has under the names by which this project imports it.

    python scripts/vllm_names.py vllm-0.33.0-....whl

vLLM moves modules between versions, and its CUDA build can't be installed on every machine that runs the tests. The
record goes to tests/packaging/vllm/VERSION.json: of each module that is imported here, all names that it defines, or
null where the wheel has no such module. `tests/packaging/test_vllm_versions.py` holds the imports against it.
"""

import argparse
import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from zipfile import ZipFile

ROOT: Final = Path(__file__).resolve().parent.parent
RECORDS: Final = ROOT / "tests" / "packaging" / "vllm"
PACKAGES: Final = ("service", "training", "experiments", "loadtests")


class Import(NamedTuple):
    """One name that is imported from a module of vLLM's; the name is None where the module itself is."""

    module: str
    name: str | None


def imports_in(tree: ast.AST) -> Iterator[Import]:
    """What a piece of code imports from vLLM, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, None) for alias in node.names if _is_vllm(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module and _is_vllm(node.module):
            yield from (Import(node.module, alias.name) for alias in node.names)


def _is_vllm(module: str) -> bool:
    return module.partition(".")[0] == "vllm"


def sources() -> Iterator[Path]:
    """Files of ours that may import vLLM."""
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def names_in(wheel: ZipFile, module: str) -> list[str] | None:
    """All names of a module in a wheel, submodules among them; None if it has no such module."""
    files = set(wheel.namelist())
    folder = module.replace(".", "/")
    path = next((path for path in (f"{folder}.py", f"{folder}/__init__.py") if path in files), None)
    if path is None:
        return None
    names = set(_defined(ast.parse(wheel.read(path))))
    if path.endswith("__init__.py"):
        inside = (file.removeprefix(f"{folder}/").split("/")[0] for file in files if file.startswith(f"{folder}/"))
        names |= {name.removesuffix(".py") for name in inside}
    return sorted(name for name in names if name.isidentifier())


def _defined(tree: ast.AST) -> Iterator[str]:
    """Names that code defines, without those inside of functions and classes."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Dict):  # vllm/__init__.py imports by such a table when a name is asked for
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
        yield from _defined(node)


def main() -> None:
    """Record one wheel."""
    parser = argparse.ArgumentParser(description="Records the names of vLLM's that this project imports.")
    parser.add_argument("wheel", type=Path, help="file of a vLLM wheel, as `pip download --no-deps vllm` brings it")
    path: Path = parser.parse_args().wheel
    modules = {one.module for source in sources() for one in imports_in(ast.parse(source.read_text()))}
    with ZipFile(path) as wheel:
        names = {module: names_in(wheel, module) for module in sorted(modules)}
    record = RECORDS / f"{path.name.split('-')[1]}.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    lines = (f" {json.dumps(module)}: {json.dumps(found)}" for module, found in names.items())
    record.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(record)


if __name__ == "__main__":
    main()
