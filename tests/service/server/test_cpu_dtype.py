"""bfloat16 on a CPU only where a child process has shown that it works."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from selfjudge_service.server import cpu_dtype
from selfjudge_service.server.served_model import prepare_model

from tests.service.server.test_options import parse

PROGRAMS = {
    "works": "import sys; sys.exit(0)",
    "is slower": "import sys; sys.exit(1)",
    "dies": "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
    "hangs": "import time; time.sleep(60)",
}


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of bfloat16 weights, on a processor that announces bfloat16."""
    folder, cpuinfo = tmp_path / "model", tmp_path / "cpuinfo"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"dtype": "bfloat16"}))
    cpuinfo.write_text("processor : 0\nflags\t\t: fpu avx512f avx512_bf16 amx_bf16\n")
    monkeypatch.setattr(cpu_dtype, "CPUINFO", cpuinfo)
    monkeypatch.setattr(cpu_dtype, "_SECONDS", 2)
    return folder


@pytest.mark.parametrize(
    ("program", "dtype"),
    [("works", "bfloat16"), ("is slower", "float32"), ("dies", "float32"), ("hangs", "float32")],
)
def test_a_child_process_decides(model: Path, program: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_dtype, "PROBE", (sys.executable, "-c", PROGRAMS[program]))
    assert cpu_dtype.cpu_dtype(str(model)) == dtype


@pytest.fixture
def _no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_dtype, "PROBE", ("/no/such/program",))


@pytest.mark.usefixtures("_no_child")
def test_nothing_is_tried_where_the_processor_does_not_announce_it(model: Path) -> None:
    cpu_dtype.CPUINFO.write_text("flags : fpu avx512f\n")
    assert cpu_dtype.cpu_dtype(str(model)) == "float32"


@pytest.mark.usefixtures("_no_child")
@pytest.mark.parametrize("config", [{"torch_dtype": "float32"}, {"text_config": {"dtype": "float16"}}, {}])
def test_nothing_is_tried_for_weights_of_another_type(model: Path, config: dict[str, object]) -> None:
    (model / "config.json").write_text(json.dumps(config))
    assert cpu_dtype.cpu_dtype(str(model)) == "float32"


@pytest.mark.usefixtures("_no_child")
def test_what_the_user_names_is_not_questioned(model: Path) -> None:
    args = parse(str(model), "--dtype", "float16")
    prepare_model(args, print)
    assert args.dtype == "float16"


def test_without_a_name_the_options_get_what_was_found(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_dtype, "PROBE", (sys.executable, "-c", PROGRAMS["works"]))
    args = parse(str(model))
    prepare_model(args, print)
    assert args.dtype == "bfloat16"


@pytest.mark.slow
def test_the_probe_comes_to_an_end_on_this_processor() -> None:
    done = subprocess.run(cpu_dtype.PROBE, capture_output=True, text=True, check=False)
    assert (done.returncode in (0, 1), "Traceback" in done.stderr) == (True, False), done.stderr
