"""The newest adapter's way from the learner to the roll-outs: one folder a version, written whole, never changed.

A back end may still be reading the version before the newest, so that one stays.
"""

import shutil
from pathlib import Path

from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from peft import PeftModel

from training.rollouts.base import RollOuts
from training.self_training.policy import save_adapter

KEPT = 2
"""Newest versions whose files stay."""


class AdapterExchange:
    """Hands the policy's adapter to a back end every so many steps."""

    def __init__(
        self, policy: PeftModel, rollouts: RollOuts, folder: Path, accelerator: Accelerator, *, every: int
    ) -> None:
        self._policy, self._rollouts, self._folder = policy, rollouts, folder
        self._accelerator, self._every = accelerator, every

    def hand_over(self, step: int) -> None:
        """To be called before each step, counted from 0, by all processes: hands over where it is due."""
        if step % self._every:
            return
        version = self._folder / f"step-{step:08d}"
        if self._accelerator.is_main_process:
            save_adapter(self._policy, version)
        self._accelerator.wait_for_everyone()
        self._rollouts.use_adapter(version)
        self._accelerator.wait_for_everyone()
        if self._accelerator.is_main_process:
            for old in sorted(self._folder.glob("step-*"))[:-KEPT]:
                shutil.rmtree(old)
