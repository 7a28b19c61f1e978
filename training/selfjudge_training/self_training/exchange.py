"""The newest adapter's way from the learner to those who want it: one folder a version, written whole, never changed.

Roll-outs sample with it, a store of versions for servers keeps it. A back end may still be reading the version before
the newest, so that one stays.
"""

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from peft import PeftModel

from selfjudge.adapters import Manifest, Store, read_base
from selfjudge_training.run.files import new_folder
from selfjudge_training.run.metrics import FILE, read_metrics
from selfjudge_training.self_training.policy import write_adapter
from selfjudge_training.self_training.self_training_config import Publishing, SelfTrainingConfig

KEPT = 2
"""Newest versions whose files stay."""


class Taker(NamedTuple):
    """Who wants adapters: now and then, and in any case the one that training ends with."""

    take: Callable[[Path], object]
    """Called in all processes with the folder of an adapter."""
    every: int | None
    """Steps between two, from the start on; None: none while it trains."""


class AdapterExchange:
    """Hands the policy's adapter out where it is due."""

    def __init__(self, policy: PeftModel, folder: Path, accelerator: Accelerator, takers: Sequence[Taker]) -> None:
        self._policy, self._folder, self._accelerator, self._takers = policy, folder, accelerator, takers

    def hand_over(self, step: int, *, last: bool = False) -> None:
        """To be called by all processes before each step, counted from 0, and after the last one."""
        takers = [take for take, every in self._takers if last or (every and step % every == 0)]
        if not takers:
            return
        version = self._folder / f"step-{step:08d}"
        if self._accelerator.is_main_process:
            shutil.rmtree(version, ignore_errors=True)  # an interrupted run's
            with new_folder(version) as partial:
                write_adapter(self._policy, partial)
        self._accelerator.wait_for_everyone()
        for take in takers:
            take(version)
        self._accelerator.wait_for_everyone()
        if self._accelerator.is_main_process:
            for old in sorted(self._folder.glob("step-*"))[:-KEPT]:
                shutil.rmtree(old)


class Publisher:
    """Publishes the adapters of the run in a folder, each the child of the one before, with the run's last figures."""

    def __init__(self, config: SelfTrainingConfig, to: Publishing, run: Path) -> None:
        self._config, self._to, self._run = config, to, run
        self._parent: str | None = None

    def publish(self, adapter: Path) -> Manifest:
        """Make a folder, as PEFT writes it, the newest version; content that is there already stays what it was.

        Raises AdapterError for what can't be served.
        """
        config, logged = self._config, (self._run / FILE).is_file() and read_metrics(self._run)
        figures = {
            f"training/{name}": value
            for name, value in (logged[-1] if logged else {}).items()
            if name != "time" and math.isfinite(value)
        }
        manifest = Store(self._to.store).publish(
            self._to.policy,
            adapter,
            base=read_base(config.model),
            template=config.judge.template,
            metrics=figures,
            parent=self._parent,
            recipe=config.model_dump(mode="json"),
        )
        self._parent = manifest.version
        return manifest
