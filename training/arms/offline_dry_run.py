"""A configuration of offline DPO tried out in seconds, as that of self-training."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from accelerate import PartialState  # type: ignore[import-untyped]  # it ships no py.typed

from training.arms.offline_config import OfflineConfig
from training.jsft.dry_run import make_tiny_model
from training.self_training.dry_run import few, here, one_step


def dry_run(config: OfflineConfig, tokenizer: Path, train: Callable[[OfflineConfig, Path], Path]) -> None:
    """Have ``train`` take one step in a temporary folder. Raises what it raises, and ConfigError."""
    with tempfile.TemporaryDirectory(prefix="selfjudge-dry-run-") as name:
        folder = Path(name)
        make_tiny_model(config.architecture, tokenizer, config.max_tokens, folder / "start")
        train(reduced(config, folder), folder / "run")


def reduced(config: OfflineConfig, folder: Path) -> OfflineConfig:
    """The configuration with few pairs, one small step, and the tiny model in ``folder``."""
    batch = 2 * PartialState().num_processes
    return config.model_copy(
        update={
            "model": folder / "start",
            "pairs": few(config.pairs, folder),
            "optimisation": one_step(config.optimisation, batch),
            "machine": here(config.machine, micro_batch=1),
        }
    )
