"""Which processes are mended: those that name our plugin, and no others; by which versions of vLLM."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from selfjudge_service.server import launcher
from selfjudge_service.vllm_patches import patching
from selfjudge_service.vllm_patches.patching import apply_patches
from selfjudge_service.vllm_patches.versions import TRIED, UntriedVersionError, require_tried

from tests.packaging.project import EXTRAS

PROGRAM = """
import gc, logging, os, sys
before = dict(os.environ)
from vllm.plugins import load_general_plugins
from vllm.v1.kv_cache_interface import KVCacheConfig
from vllm.v1.sample.sampler import Sampler
speaks = lambda: logging.getLogger("vllm").isEnabledFor(logging.WARNING)
zeroes = lambda: KVCacheConfig(num_blocks=1, kv_cache_tensors=[], kv_cache_groups=[]).needs_kv_cache_zeroing
ours = lambda: [name for name in sys.modules if name.startswith("selfjudge")]
changed = lambda: {name for name in os.environ if name.startswith(("VLLM", "SELFJUDGE")) and name not in before}
forward, variables = Sampler.forward, changed()
load_general_plugins()
print(zeroes(), Sampler.forward is not forward, ours(), gc.isenabled(), gc.get_freeze_count(), speaks())
print(changed() == variables)
os.environ["VLLM_PLUGINS"] = "theirs,selfjudge"
from selfjudge_service.engine_plugin import prepare_process
prepare_process()
print(zeroes(), Sampler.forward is not forward, gc.isenabled(), gc.get_freeze_count(), speaks())
import selfjudge_service.server.early
print(gc.isenabled(), speaks())
prepare_process()
print(gc.isenabled())
"""


def test_a_process_is_mended_where_our_plugin_is_named_and_quiet_and_without_collection_where_it_is_ours() -> None:
    environment = {**os.environ, "SELFJUDGE_MAX_BEST_OF_N": "many"}
    for name in ("VLLM_PLUGINS", "VLLM_LOGGING_LEVEL"):  # another test may have imported the launcher
        environment.pop(name, None)
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    plain, unchanged, named, ours, ours_after_imports = done.stdout.splitlines()
    assert plain == "False False ['selfjudge_service', 'selfjudge_service.engine_plugin'] True 0 True"
    assert unchanged == "True"
    assert named == "True True True 0 True"
    assert ours == "False False"
    assert ours_after_imports == "True"


@pytest.mark.parametrize("version", ["0.31.4", "0.33.0rc1", "0.34.0", "0.33.1.dev7+g0123456"])
def test_a_version_that_nobody_has_tried_is_refused_before_anything_is_replaced(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(patching, "__version__", version)
    monkeypatch.setattr(patching, "PATCHES", (patching.Patch(TRIED, lambda: pytest.fail("something is replaced")),))
    with pytest.raises(UntriedVersionError) as refused:
        apply_patches()
    assert f"vLLM {version} is installed" in str(refused.value)
    assert "releases <0.34,>=0.32 only" in str(refused.value)


@pytest.mark.parametrize(
    ("version", "cpu", "expected"),
    [("0.32.1", True, ["all", "old", "cpu"]), ("0.33.0", True, ["all", "cpu"]), ("0.32.1", False, ["all", "old"])],
)
def test_patches_are_applied_by_version_and_platform(
    monkeypatch: pytest.MonkeyPatch, version: str, cpu: bool, expected: list[str]
) -> None:
    applied: list[str] = []
    patches = (
        patching.Patch(TRIED, lambda: applied.append("all")),
        patching.Patch(SpecifierSet("==0.32.*"), lambda: applied.append("old")),
        patching.Patch(TRIED, lambda: applied.append("cpu"), cpu_only=True),
    )
    monkeypatch.setattr(patching, "__version__", version)
    monkeypatch.setattr(patching, "current_platform", SimpleNamespace(is_cpu=lambda: cpu))
    monkeypatch.setattr(patching, "PATCHES", patches)
    apply_patches()
    assert applied == expected


@pytest.mark.parametrize("version", ["0.32.0", "0.32.0+cpu", "0.33.2"])
def test_others_are_accepted(version: str) -> None:
    require_tried(version)


def test_the_command_says_so_before_it_reads_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "version_of", lambda _: "0.99.0")
    monkeypatch.setattr(launcher, "read_options", lambda _: pytest.fail("options are read"))
    with pytest.raises(SystemExit, match=r"vLLM 0\.99\.0 is installed"):
        launcher.main([])


def test_those_are_the_versions_that_can_be_installed() -> None:
    assert next(one.specifier for one in map(Requirement, EXTRAS["cuda"]) if one.name == "vllm") == TRIED
