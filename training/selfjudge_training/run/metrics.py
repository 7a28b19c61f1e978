"""Metrics of a run: a line of JSON a step for programs, and TensorBoard's events for people.

Leaves out what is worth logging. A run that is resumed logs again what came after its last checkpoint, so those lines
are dropped before the first new one: every step stands in the log once.
"""

import json
import time
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from selfjudge_training.run.checkpoint import latest_checkpoint
from selfjudge_training.run.files import write_whole

FILE = "metrics.jsonl"


class MetricsLog:
    """The log of one run; ``silent`` (every process but the main one) writes nothing."""

    def __init__(self, folder: Path, *, silent: bool = False) -> None:
        self._folder, self._silent = folder, silent
        self._board: SummaryWriter | None = None
        checkpoint = latest_checkpoint(folder)
        self._resumed_at = checkpoint.step if checkpoint else 0
        self._fresh = True

    def log(self, step: int, **values: float) -> None:
        """Append the values of ``step``; a name with a slash stands in TensorBoard's group before the slash."""
        if self._silent:
            return
        if self._fresh:
            self._drop_after(self._resumed_at)
            self._fresh = False
        line = json.dumps({"step": step, "time": round(time.time(), 3), **values})
        with (self._folder / FILE).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        if self._board is None:
            self._board = SummaryWriter(str(self._folder / "tensorboard"), purge_step=self._resumed_at + 1)
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        self._board.flush()

    def close(self) -> None:
        """Finish TensorBoard's file; logging may go on, in another one."""
        if self._board is not None:
            self._board.close()
            self._board = None

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
