"""The image files keep what they promise, as far as reading tells; `make image` builds one and runs it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from scripts.check_image import BUILD_TOOLS
from tests.packaging.project import ROOT

DOCKER: Final = ROOT / "docker"
IMAGES: Final = {path.stem: path.read_text() for path in DOCKER.glob("*.Dockerfile")}


def final_stage(text: str) -> str:
    """What ends up in the image."""
    return text[text.rindex("\nFROM ") :]


@pytest.mark.parametrize("name", IMAGES)
def test_hadolint_has_nothing_to_say(name: str) -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, DOCKER / f"{name}.Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", IMAGES)
def test_the_final_stage_installs_no_build_tool_and_takes_no_address(name: str) -> None:
    final = final_stage(IMAGES[name])
    installed = set(re.findall(r"--no-install-recommends (.*?) *\\\n", final)[0].split())
    assert not installed & {*BUILD_TOOLS, "python3-dev", "python3-venv", "python3-pip", "build-essential", "libc6-dev"}
    assert "ARG " not in final
    assert "pip install" not in final


@pytest.mark.parametrize("name", IMAGES)
def test_it_runs_as_a_user_with_a_health_check_and_writes_only_to_tmp(name: str) -> None:
    final = final_stage(IMAGES[name])
    assert "\nUSER 10001:10001\n" in final
    assert "127.0.0.1:8000/ready" in final
    assert "HOME=/tmp" in final
    assert 'ENTRYPOINT ["tini", "--", "selfjudge-serve", "--host", "0.0.0.0", "--port", "8000"]' in final


def test_the_build_sees_no_more_than_it_needs() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / name).exists() for name in kept)
    lines = [line for text in IMAGES.values() for line in re.findall(r"^COPY (?!--from)(.*)", text, re.MULTILINE)]
    copied = {name for line in lines for name in line.split()[:-1]} - {"."}
    assert {name for name in copied if name not in kept and str(Path(name).parent) not in kept} == set()


def test_the_compiler_of_the_gpu_image_hands_over_what_was_made_and_nothing_else(tmp_path: Path) -> None:
    program = tmp_path / "cc"
    program.write_text((DOCKER / "cc").read_text().replace("/opt/selfjudge/prebuilt", str(tmp_path)))
    source, other = tmp_path / "main.c", tmp_path / "other.c"
    source.write_text("int main(void) { return 0; }\n")
    other.write_text("int f(void);\n")
    digest = subprocess.run(["sha256sum", source], capture_output=True, text=True, check=True).stdout.split()[0]
    (tmp_path / f"{digest}.so").write_bytes(b"made before")

    def compile_(path: Path) -> subprocess.CompletedProcess[str]:
        # The arguments that Triton gives.
        flags = ("-O3", "-shared", "-fPIC", "-Wno-psabi", "-o", str(tmp_path / "out.so"), "-l:libcuda.so.1")
        command = ["sh", str(program), str(path), *flags]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert compile_(source).returncode == 0
    assert (tmp_path / "out.so").read_bytes() == b"made before"
    refused = compile_(other)
    assert refused.returncode == 1
    assert "other.c is not what Triton's driver was made from" in refused.stderr
