"""Runs stages that depend on each other, several at a time, each in a process and a folder of its own.

A stage's folder appears by one rename when it is done; what a killed run was at lies in a folder of another name, where
a stage that keeps checkpoints goes on. A fresh process for each, so that no stage finds anything in memory but its own;
they are forked from a server that has the libraries imported. Knows nothing of what stages do.
"""

import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from selfjudge_training.run.files import put_in_place

TIMES = "times.json"
"""What every stage leaves in its folder beside its own."""

SHOWN_LINES = 15
"""Of the log of a stage that failed."""


class StageError(ValueError):
    """A stage failed; the message has the end of its log."""


class Times(NamedTuple):
    """How long a stage took, in seconds; attempts that were killed are left out."""

    began: float
    """Since 1970."""
    seconds: float
    processor: float
    """Of all processes of the stage."""


@dataclass(frozen=True)
class Stage:
    """One unit of work."""

    name: str
    needs: tuple[str, ...]
    """Stages that must be done before."""
    work: Callable[[Path], None]
    """Fills a folder; a function that another process can be sent."""
    alone: bool = False
    """Whether it uses all cores by itself."""


def run_stages(stages: Sequence[Stage], root: Path, workers: int, preload: Sequence[str]) -> None:
    """Run those that are not done, ``workers`` at a time, in this order as far as their needs allow.

    ``preload`` names modules that the stages' processes start with. Raises StageError for a stage that fails; the
    others are stopped then.
    """
    (root / "logs").mkdir(parents=True, exist_ok=True)
    context = get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    running: dict[str, ForkServerProcess] = {}
    with tqdm(total=len(stages), desc="stages", unit="stage") as bar:
        try:
            while (missing := [stage for stage in stages if not (root / stage.name).is_dir()]) or running:
                bar.n = len(stages) - len(missing)
                for stage in _startable(missing, root, running, stages, workers):
                    running[stage.name] = context.Process(target=_run, args=(stage, root))
                    running[stage.name].start()
                bar.set_postfix_str(", ".join(running))
                connection.wait([process.sentinel for process in running.values()])
                _reap(running, root)
            bar.n = len(stages)
            bar.set_postfix_str("")
        finally:
            for process in running.values():
                _kill(process)


def times_of(root: Path, stage: str) -> Times:
    """How long a finished stage took."""
    return Times(**json.loads((root / stage / TIMES).read_text(encoding="utf-8")))


def busy_seconds(times: Iterable[Times]) -> float:
    """How long at least one of some stages was running."""
    total, until = 0.0, 0.0
    for one in sorted(times):
        end = one.began + one.seconds
        total += max(0.0, end - max(one.began, until))
        until = max(until, end)
    return total


def _startable(
    missing: Sequence[Stage],
    root: Path,
    running: Mapping[str, ForkServerProcess],
    stages: Sequence[Stage],
    workers: int,
) -> list[Stage]:
    alone = {stage.name for stage in stages if stage.alone}
    if alone & running.keys():
        return []
    ready = [
        stage for stage in missing if stage.name not in running and all((root / need).is_dir() for need in stage.needs)
    ]
    if ready and ready[0].alone:
        return ready[:1] if not running else []
    return [stage for stage in ready if not stage.alone][: workers - len(running)]


def _reap(running: dict[str, ForkServerProcess], root: Path) -> None:
    """Forget the processes that have ended. Raises StageError."""
    for name in [name for name, process in running.items() if process.exitcode is not None]:
        code = running.pop(name).exitcode
        if code:
            log = root / "logs" / f"{name}.log"
            end = "\n".join(log.read_text(encoding="utf-8").splitlines()[-SHOWN_LINES:]) if log.is_file() else ""
            raise StageError(f"stage {name} ended with {code}; the end of {log}:\n{end}")


def _kill(process: ForkServerProcess) -> None:
    """End a stage with all processes that it has started; its checkpoints stay."""
    if process.pid is None or process.exitcode is not None:
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # it has no group of its own yet, and so nothing that it started
        process.kill()
    process.join()


def _run(stage: Stage, root: Path) -> None:
    """The life of a stage's process."""
    os.setpgid(0, 0)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    log = os.open(root / "logs" / f"{stage.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    import torch  # noqa: PLC0415  # the process that only waits for stages does without

    torch.set_num_threads(1)
    partial = root / f"{stage.name}.partial"
    partial.mkdir(exist_ok=True)
    began, clock = time.time(), time.monotonic()
    stage.work(partial)
    times = Times(began, time.monotonic() - clock, _processor_seconds())
    (partial / TIMES).write_text(json.dumps(times._asdict()) + "\n", encoding="utf-8")
    put_in_place(partial, root / stage.name)


def _processor_seconds() -> float:
    """Of this process and those that it has started and seen end."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _die_with_parent() -> None:
    """Two runs must never write to one folder: what the first has started ends with it."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)
