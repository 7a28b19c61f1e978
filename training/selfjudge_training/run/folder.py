"""The folder of a run: its resolved configuration, seed and versions, its metrics, its checkpoints.

A folder belongs to one configuration; to go on with an interrupted run is to open the folder with the same one again.
Leaves out what a stage makes, which it puts beside these files under names of its own.
"""

import json
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import yaml
from transformers.utils.generic import flatten_dict

from selfjudge_training.run.config import ConfigError, Section
from selfjudge_training.run.files import write_whole
from selfjudge_training.run.metrics import MetricsLog
from selfjudge_training.run.processes import processes

PACKAGES = ("selfjudge", "torch", "transformers", "tokenizers", "trl", "peft", "accelerate", "datasets", "vllm")
"""Whose versions a result may depend on."""

_CONFIG, _VERSIONS = "config.yaml", "versions.json"


class RunFolder(NamedTuple):
    """An open folder; make one by `open`."""

    path: Path
    metrics: MetricsLog

    @staticmethod
    def is_begun(path: Path) -> bool:
        """Whether a run has opened this folder before."""
        return (path / _CONFIG).is_file()

    @classmethod
    def open(cls, path: Path, config: Section, *, seed: int, trackers: Sequence[str] = ("tensorboard",)) -> "RunFolder":
        """Make the folder, or go on in one made with the same configuration and seed.

        Writes config.yaml and versions.json. Where several processes share the folder, only the main one writes,
        logs and checks. Raises ConfigError, naming the keys that differ, where the folder belongs to another
        configuration. Where that one has left nothing but these two files, having failed at its start, the folder is
        free.
        """
        resolved = {**config.model_dump(mode="json"), "seed": seed}
        metrics = MetricsLog(path, trackers, resolved)
        if processes().is_main_process:
            path.mkdir(parents=True, exist_ok=True)
            _claim(path, resolved)
            _note_versions(path / _VERSIONS)
        return cls(path, metrics)


def _claim(path: Path, resolved: dict[str, object]) -> None:
    file = path / _CONFIG
    if file.is_file():
        kept = yaml.safe_load(file.read_text(encoding="utf-8"))
        if kept == resolved:
            return
        if any(other.name not in (_CONFIG, _VERSIONS) for other in path.iterdir()):
            before, now = flatten_dict(kept), flatten_dict(resolved)
            keys = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
            changes = "; ".join(f"{key}: {before.get(key)!r} there, {now.get(key)!r} now" for key in keys)
            raise ConfigError(
                f"{path} holds a run with another configuration ({changes}); name another folder or delete it"
            )
        (path / _VERSIONS).unlink(missing_ok=True)
    write_whole(file, yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True))


def _note_versions(file: Path) -> None:
    """Write the versions, or say on stderr where they are not those that the run began with."""
    now = {"python": platform.python_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            now[name] = version(name)
    if not file.is_file():
        write_whole(file, json.dumps(now, indent=2) + "\n")
        return
    began = json.loads(file.read_text(encoding="utf-8"))
    changed = [f"{name} {began.get(name)} -> {now[name]}" for name in now if began.get(name) != now[name]]
    if changed:
        print(f"{file.parent}: goes on with other versions ({', '.join(changed)})", file=sys.stderr)
