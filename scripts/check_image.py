"""Builds the CPU image and has its container answer a request: what `make image` runs.

    python3 scripts/check_image.py                     # on a Debian 12 made here by debootstrap
    python3 scripts/check_image.py --base IMAGE        # on another base, which buildah has or can pull
    python3 scripts/check_image.py --built IMAGE       # builds nothing

Needs root, and Debian's buildah, debootstrap, iproute2 and util-linux; no Docker daemon. Where pip looks for packages
comes from PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS and PIP_CERT. The container gets the image's own user,
environment and entry point, a read-only root file system, an empty /tmp, no capabilities and a network of its own; then
the health check, the program of `helm test` and SIGTERM are tried. Standard library only. Leaves out limits of memory
and processors, which are the container runtime's.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
BASE: Final = "localhost/debian:bookworm"
IMAGE: Final = "localhost/selfjudge:cpu"
REQUEST: Final = ROOT / "deploy" / "helm" / "selfjudge" / "files" / "best_of_n.py"
BUILD_TOOLS: Final = ("cc", "gcc", "g++", "make", "cmake", "ninja", "pip", "pip3", "git", "hatchling")
PIP: Final = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT")
START_SECONDS: Final = 600
POLL_SECONDS: Final = 3  # asking costs the processor too

# The proportional share of each process, since they share pages. Run inside the container.
MEMORY: Final = """
from pathlib import Path
rolled_up = [path.read_text().splitlines() for path in Path("/proc").glob("[0-9]*/smaps_rollup")]
print(sum(int(line.split()[1]) for lines in rolled_up for line in lines if line.startswith("Pss:")) // 1024)
"""

# Run in new namespaces, as root, before it becomes the container. $1: the mounted image.
ENTER: Final = """
set -e
ip link set lo up
mount --make-rprivate /
mount --bind "$1" "$1"
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t tmpfs -o mode=1777 tmp "$1/tmp"
mount -o remount,bind,ro "$1"
root=$1; user=$2; shift 2
exec chroot "$root" setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --no-new-privs \\
    --bounding-set=-all --inh-caps=-all "$@"
"""


def main() -> None:
    """Build, run, ask, stop, and print what was seen as JSON; exits non-zero at the first thing that is not so."""
    parser = argparse.ArgumentParser(description="Build the CPU image and have its container answer a request.")
    parser.add_argument("--base", help="base image; without it a Debian is made by debootstrap")
    parser.add_argument("--built", metavar="IMAGE", help="an image that is there already")
    arguments = parser.parse_args()
    if os.geteuid():
        sys.exit("check_image: needs root, to mount the image and to leave its privileges behind")
    report: dict[str, Any] = {}
    image = arguments.built or build(arguments.base or debian(), report)
    inspected = json.loads(output("buildah", "inspect", "--type", "image", image))
    config = inspected["Docker"]["config"]
    container = output("buildah", "from", image)
    try:
        root = Path(output("buildah", "mount", container))
        report["image_mib"] = int(output("du", "--summarize", "--block-size=M", str(root)).partition("M")[0])
        run(root, config, report)
    finally:
        subprocess.run(["buildah", "rm", container], check=True, capture_output=True)
    print(json.dumps(report, indent=1))


def debian() -> str:
    """Make the base image, unless an earlier call did."""
    if subprocess.run(["buildah", "inspect", BASE], check=False, capture_output=True).returncode:
        with tempfile.TemporaryDirectory() as folder:
            shown("debootstrap", "--variant=minbase", "bookworm", folder)
            container = output("buildah", "from", "scratch")
            shown("buildah", "add", "--quiet", container, folder, "/")
            shown("buildah", "commit", "--quiet", "--rm", container, BASE)
    return BASE


def build(base: str, report: dict[str, Any]) -> str:
    """Build the image from the checkout on `base`."""
    given = {name: os.environ[name].replace("/etc/ssl/", "/run/host-ssl/") for name in PIP if os.environ.get(name)}
    options = [f"--build-arg={name}={value}" for name, value in ({"BASE_IMAGE": base} | given).items()]
    if Path(folder := os.environ.get("PIP_FIND_LINKS", "")).is_absolute():
        options.append(f"--volume={folder}:{folder}:ro")
    # At another place than the base's own certificates, which the build may install anew.
    options.append("--volume=/etc/ssl:/run/host-ssl:ro")
    started = time.monotonic()
    # Docker's format: the other one has no health checks.
    shown(
        "buildah", "build", "--isolation=chroot", "--format=docker", *options,
        "--file", str(ROOT / "docker" / "cpu.Dockerfile"), "--tag", IMAGE, str(ROOT),
    )  # fmt: skip
    report["build_seconds"] = round(time.monotonic() - started)
    return IMAGE


def run(root: Path, config: dict[str, Any], report: dict[str, Any]) -> None:
    """Start the image's entry point as a container would, try it, and end it as a container would be ended."""
    environment = ["/usr/bin/env", "--ignore-environment", *config["Env"]]
    inside = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--net", "--fork", "--kill-child", "bash", "-c", ENTER]
    started = time.monotonic()
    process = subprocess.Popen(
        [*inside, "enter", str(root), config["User"], *environment, *config["Entrypoint"], *(config["Cmd"] or [])]
    )
    try:
        health = config["Healthcheck"]["Test"][1:]
        while execute(process, config, *health, quiet=True).returncode:
            expect(process.poll() is None, "the container ended before it was healthy")
            expect(time.monotonic() - started < START_SECONDS, f"not healthy within {START_SECONDS} s")
            time.sleep(POLL_SECONDS)
        report["healthy_after_seconds"] = round(time.monotonic() - started, 1)
        report["user"] = execute(process, config, "id", "-u").stdout.strip()
        expect(report["user"] not in ("", "0"), "the container runs as root")
        read_only = "import os; print(bool(os.statvfs('/').f_flag & os.ST_RDONLY))"
        expect(execute(process, config, "python", "-c", read_only).stdout == "True\n", "the root can be written to")
        found = execute(process, config, "sh", "-c", f"command -v {' '.join(BUILD_TOOLS)}").stdout.split()
        expect(not found, f"build tools in the final layer: {found}")
        url = "URL=http://127.0.0.1:8000/v1/chat/completions"
        answer = execute(process, config, "env", url, "python", "-c", REQUEST.read_text())
        expect(answer.returncode == 0, f"best_of_n was not answered: {answer.stdout}{answer.stderr}")
        completion = json.loads(answer.stdout)
        report["answer"] = completion["choices"][0]["message"]["content"]
        report["candidates_finished"] = completion["self_rejection"]["candidates_finished"]
        report["memory_mib"] = int(execute(process, config, "python", "-c", MEMORY).stdout)
        os.kill(first_child(process), signal.SIGTERM)
        report["exit_status_after_sigterm"] = process.wait(timeout=120)
        expect(process.returncode == 0, f"exit status {process.returncode} after SIGTERM")
    finally:
        process.kill()


def execute(
    process: subprocess.Popen[bytes], config: dict[str, Any], *command: str, quiet: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command inside the container, as `docker exec` would."""
    inside = ["nsenter", f"--target={first_child(process)}", "--all", "--root", "--wd"]
    user, _, group = config["User"].partition(":")
    become = ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--no-new-privs"]
    environment = ["/usr/bin/env", "--ignore-environment", *config["Env"]]
    done = subprocess.run([*inside, *become, *environment, *command], capture_output=True, text=True, check=False)
    if done.returncode and not quiet:
        print(done.stderr, file=sys.stderr)
    return done


def first_child(process: subprocess.Popen[bytes]) -> int:
    """Process id, on this machine, of what is process 1 in the container."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if children := Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            return int(children[0])
        time.sleep(0.05)
    raise RuntimeError("the container did not start")


def expect(so: bool, otherwise: str) -> None:
    """End the check with a message where something is not so."""
    if not so:
        sys.exit(f"check_image: {otherwise}")


def output(*command: str) -> str:
    """What a command prints; its failure ends the check."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def shown(*command: str) -> None:
    """Run a command whose output is for the reader; its failure ends the check."""
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
