"""Metrics of a run: a line of JSON a step for programs, and the trackers that people look at.

Leaves out what is worth logging. A run that is resumed logs again what came after its last checkpoint, so those lines
are dropped before the first new one: every step stands in the log once.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, get_available_trackers  # type: ignore[import-untyped]  # it ships no py.typed

from selfjudge_training.run.checkpoint import latest_checkpoint
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.files import write_whole
from selfjudge_training.run.processes import processes

FILE = "metrics.jsonl"


class MetricsLog:
    """The log of one run, in which the main process alone writes.

    Raises ConfigError for a tracker that Accelerate does not know or that is not installed.
    """

    def __init__(self, folder: Path, trackers: Sequence[str], config: Mapping[str, object]) -> None:
        available = [str(name) for name in get_available_trackers()]
        if unknown := sorted(set(trackers) - set(available)):
            raise ConfigError(
                f"machine.trackers: {', '.join(unknown)} is not installed or unknown; there are {', '.join(available)}"
            )
        self._folder, self._names, self._config = folder, trackers, dict(config)
        self._trackers: list[GeneralTracker] | None = None
        checkpoint = latest_checkpoint(folder)
        self._resumed_at = checkpoint.step if checkpoint else 0

    def log(self, step: int, **values: float) -> None:
        """Append the values of ``step``; a name with a slash stands in a tracker's group before the slash."""
        if not processes().is_main_process:
            return
        if self._trackers is None:
            self._drop_after(self._resumed_at)
            self._trackers = [self._started(name) for name in self._names]
        line = json.dumps({"step": step, "time": round(time.time(), 3), **values})
        with (self._folder / FILE).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        for tracker in self._trackers:
            tracker.log(values, step)

    def close(self) -> None:
        """Finish what trackers hold; nothing can be logged afterwards."""
        for tracker in self._trackers or ():
            tracker.finish()

    def _started(self, name: str) -> GeneralTracker:
        kind = LOGGER_TYPE_TO_CLASS[name]
        options: dict[str, object] = {"logging_dir": self._folder} if kind.requires_logging_directory else {}
        if name == "tensorboard":
            tracker = kind(name, purge_step=self._resumed_at + 1, **options)
            tracker.start()
            return tracker
        tracker = kind("selfjudge", **options)
        tracker.start()
        tracker.store_init_configuration(self._config)
        return tracker

    def _drop_after(self, step: int) -> None:
        path = self._folder / FILE
        if not path.is_file():
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
        if kept != lines:
            write_whole(path, "".join(kept))


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """What was logged by the run in ``folder``, in order; each with its ``step`` and ``time`` (seconds, Unix)."""
    return [json.loads(line) for line in (folder / FILE).read_text(encoding="utf-8").splitlines()]
