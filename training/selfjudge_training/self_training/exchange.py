"""The newest adapter's way from the learner to those who want it: one folder a version, written whole, never changed.

Roll-outs sample with it, a store of versions for servers keeps it. A back end may still be reading the version before
the newest, so that one stays.
"""

import math
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file

from selfjudge.adapters import Manifest
from selfjudge_training.run.adapter_store import Trained, publish_adapter
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.files import write_folder
from selfjudge_training.run.metrics import FILE, read_metrics
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig

KEPT = 2
"""Newest versions whose files stay."""


class Taker(NamedTuple):
    """Who wants adapters, and when."""

    take: Callable[[Path], object]
    """Called in all processes with the folder of an adapter."""
    every: int | None
    """Steps between two, from the start on; None: none while it trains."""
    last: bool
    """Whether the one that training ends with is wanted."""


class AdapterExchange:
    """Hands the policy's adapter out where it is due."""

    def __init__(self, policy: PeftModel, folder: Path, accelerator: Accelerator, takers: Sequence[Taker]) -> None:
        self._policy, self._folder, self._accelerator, self._takers = policy, folder, accelerator, takers

    def hand_over(self, step: int) -> None:
        """To be called before each step, counted from 0, by all processes."""
        self._hand(step, [taker for taker in self._takers if taker.every is not None and step % taker.every == 0])

    def finish(self, steps: int) -> None:
        """To be called after the last of so many steps, by all processes."""
        self._hand(steps, [taker for taker in self._takers if taker.last])

    def _hand(self, step: int, takers: Sequence[Taker]) -> None:
        if not takers:
            return
        version = self._folder / f"step-{step:08d}"
        if self._accelerator.is_main_process:
            shutil.rmtree(version, ignore_errors=True)  # an interrupted run's
            write_folder(version, partial(_write_adapter, self._policy))
        self._accelerator.wait_for_everyone()
        for taker in takers:
            taker.take(version)
        self._accelerator.wait_for_everyone()
        if self._accelerator.is_main_process:
            for old in sorted(self._folder.glob("step-*"))[:-KEPT]:
                shutil.rmtree(old)


class Publisher:
    """Publishes the adapters of one run, each the child of the one before, with the run's last figures.

    Raises:
        ConfigError: where the configuration has no `publish`.
    """

    def __init__(self, config: SelfTrainingConfig, run: Path) -> None:
        """``run`` is the run's folder, with its metrics."""
        if config.publish is None:
            raise ConfigError("publish: is needed here, with 'store' and 'policy'")
        self._store, self._policy, self._run = config.publish.store, config.publish.policy, run
        self._model, self._template = config.model, config.judge.template
        self._recipe = config.model_dump(mode="json")
        self._parent: str | None = None

    def publish(self, adapter: Path) -> Manifest:
        """Make a folder, as PEFT writes it, the newest version; content that is there already stays what it was.

        Raises AdapterError for what can't be served.
        """
        trained = Trained(adapter, self._model, self._template, self._recipe)
        manifest = publish_adapter(self._store, self._policy, trained, metrics=self._figures(), parent=self._parent)
        self._parent = manifest.version
        return manifest

    def _figures(self) -> dict[str, float]:
        """What the last step logged; nothing before the first one."""
        if not (self._run / FILE).is_file():
            return {}
        last = (read_metrics(self._run) or [{}])[-1]
        return {f"training/{name}": value for name, value in last.items() if name != "time" and math.isfinite(value)}


def _write_adapter(policy: PeftModel, folder: Path) -> None:
    """What PEFT's `save_pretrained` writes, but for the model card, which takes it longer than all the rest."""
    config = policy.active_peft_config
    config.base_model_name_or_path = config.base_model_name_or_path or policy.get_base_model().name_or_path
    trains, config.inference_mode = config.inference_mode, True
    try:
        config.save_pretrained(str(folder))
    finally:
        config.inference_mode = trains
    weights = get_peft_model_state_dict(policy, save_embedding_layers=False)
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
