"""The programs that the chart hands to containers do what they are there for, run here against stand-ins."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typing_extensions import override

from tests.deploy.chart import CHART, VARIANTS, manifests, render

# Copies as rclone does with the flags that the script gives: files that are in the destination or in the folder to
# compare with are left out. Fails where the remote is missing.
RCLONE = """#!/bin/sh
set -eu
for argument; do case $argument in --compare-dest=*) there=${argument#*=};; esac; done
while [ $# -gt 2 ]; do shift; done
cd "$1"
find . -type f ! -path '*/.*/*' | while read -r file; do
    [ -e "$there/$file" ] || [ -e "$2/$file" ] || { mkdir -p "$2/${file%/*}"; cp "$file" "$2/$file"; }
done
"""


class Bucket(NamedTuple):
    """An object store and a pod's copy of it."""

    remote: Path
    volume: Path
    environment: dict[str, str]

    def upload(self, version: str, *names: str) -> None:
        folder = self.remote / "chat" / version
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).write_text(version)

    def fetch(self) -> subprocess.CompletedProcess[str]:
        (deployment,) = [one for one in manifests(render(VARIANTS["object-store"])) if one["kind"] == "Deployment"]
        containers = deployment["spec"]["template"]["spec"]["initContainers"]
        (once,) = [one for one in containers if one["name"] == "copy-adapters-once"]
        command = [*once["command"], *once["args"]]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def versions(self) -> list[str]:
        return sorted(path.name for path in self.store.glob("chat/*"))

    @property
    def store(self) -> Path:
        """What the server sees."""
        return self.volume / "store"


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "rclone").write_text(RCLONE)
    (programs / "rclone").chmod(0o755)
    remote, volume = tmp_path / "remote", tmp_path / "volume"
    path = f"{programs}:{os.environ['PATH']}"
    return Bucket(remote, volume, {"PATH": path, "REMOTE": str(remote), "VOLUME": str(volume), "POLL_SECONDS": "1"})


def test_a_version_appears_whole_and_one_without_its_manifest_not_yet(bucket: Bucket) -> None:
    bucket.upload("one", "adapter_model.safetensors", "manifest.json")
    bucket.upload("two", "adapter_model.safetensors")
    assert bucket.fetch().returncode == 0
    assert bucket.versions() == ["one"]
    assert {path.name for path in (bucket.store / "chat" / "one").iterdir()} == {
        "adapter_model.safetensors",
        "manifest.json",
    }
    bucket.upload("two", "manifest.json")
    assert bucket.fetch().returncode == 0
    assert bucket.versions() == ["one", "two"]
    assert (bucket.store / "chat" / "two" / "adapter_model.safetensors").read_text() == "two"


def test_what_is_there_is_not_touched_again(bucket: Bucket) -> None:
    bucket.upload("one", "manifest.json")
    bucket.fetch()
    before = (bucket.store / "chat" / "one").stat()
    bucket.fetch()
    assert (bucket.store / "chat" / "one").stat() == before
    assert not list(bucket.volume.glob("incoming/*/*/*"))


def test_a_copy_that_fails_brings_nothing_into_the_store(bucket: Bucket) -> None:
    half = bucket.volume / "incoming" / "chat" / "one"
    half.mkdir(parents=True)
    (half / "manifest.json").touch()
    assert bucket.fetch().returncode != 0
    assert bucket.versions() == []


class Answering(BaseHTTPRequestHandler):
    """Answers as the server does, and keeps what it was asked."""

    asked: dict[str, Any] = {}  # noqa: RUF012  one server a test
    finished = 4

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        type(self).asked = {**json.loads(self.rfile.read(length)), "key": self.headers["Authorization"]}
        body = json.dumps({"self_rejection": {"candidates_finished": self.finished}}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("finished", "status", "keys", "first"),
    [(4, 0, "first, second", "first"), (3, 1, "first", "first"), (4, 0, '["a,b", "c"]', "a,b")],
)
def test_the_test_pod_sends_one_tournament_with_the_first_key(
    answering: HTTPServer, monkeypatch: pytest.MonkeyPatch, finished: int, status: int, keys: str, first: str
) -> None:
    monkeypatch.setattr(Answering, "finished", finished)
    environment = {"URL": f"http://127.0.0.1:{answering.server_port}/", "SELFJUDGE_API_KEYS": keys}
    program = CHART / "files" / "best_of_n.py"
    done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert (Answering.asked["best_of_n"], Answering.asked["key"]) == (4, f"Bearer {first}")
