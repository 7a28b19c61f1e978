"""Runs JSFT in a process of its own, and kills that process at a place given by name. Started by the tests.

Arguments: the configuration as JSON, the run's folder, the place: `step` (half-way through the fifth), `checkpoint`
(all files of the second are written, but it has not got its name), `model` (at the end, likewise), or `never`.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import selfjudge_training.jsft.jsft_stage as stage
import selfjudge_training.jsft.trainer as trainer
import selfjudge_training.run.files as files
import torch
from selfjudge_training.jsft.jsft_config import JsftConfig


def dies_at(place: str) -> None:
    """Make the process kill itself at the place."""

    def killing(original: Callable[..., Any], when: Callable[..., bool]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            if when(*arguments):
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        return wrapper

    if place == "step":
        original = trainer.JsftTrainer.compute_loss
        seen: list[int] = []

        def in_fifth(this: trainer.JsftTrainer, *_: object) -> bool:
            seen.append(this.state.global_step)
            return seen.count(4) == 2

        trainer.JsftTrainer.compute_loss = killing(original, in_fifth)  # type: ignore[method-assign]
    elif place in ("checkpoint", "model"):
        name = {"checkpoint": "step-00000006", "model": stage.MODEL}[place]
        files.put_in_place = killing(files.put_in_place, lambda _, whole: whole.name == name)


if __name__ == "__main__":
    torch.set_num_threads(1)
    config, folder, place = sys.argv[1:]
    dies_at(place)
    stage.run_jsft(JsftConfig.model_validate_json(config), Path(folder))
