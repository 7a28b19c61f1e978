"""A configuration of offline DPO tried out in seconds, as that of self-training."""

from collections.abc import Callable
from pathlib import Path

from selfjudge_training.arms.offline_config import OfflineConfig
from selfjudge_training.data.trial import few
from selfjudge_training.jsft.dry_run import trial_folder
from selfjudge_training.self_training.dry_run import few_steps, here


def dry_run(config: OfflineConfig, tokenizer: Path, train: Callable[[OfflineConfig, Path], Path]) -> None:
    """Have ``train`` take few steps in a temporary folder. Raises what it raises, and ConfigError."""
    with trial_folder(config.architecture, tokenizer, config.max_tokens) as folder:
        train(reduced(config, folder), folder / "run")


def reduced(config: OfflineConfig, folder: Path) -> OfflineConfig:
    """The configuration with few pairs, few small steps, and the tiny model in ``folder``."""
    return config.model_copy(
        update={
            "model": folder / "start",
            "pairs": few(config.pairs, folder),
            "optimisation": few_steps(config.optimisation),
            "machine": here(config.machine, micro_batch=1),
        }
    )
