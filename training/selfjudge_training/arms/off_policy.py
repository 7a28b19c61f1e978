"""Self-training from a fixed buffer: two samples of the initial policy to each prompt, judged once (table 4).

All else is as on-policy, configuration included. The buffer lies in the run's folder in parts, one for each call of the
roll-outs, so that an interrupted run samples only what is missing.
"""

from contextlib import closing
from pathlib import Path

from pydantic import TypeAdapter
from tqdm import tqdm

from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.files import write_whole
from selfjudge_training.run.processes import make_accelerator
from selfjudge_training.self_training.config import SelfTrainingConfig
from selfjudge_training.self_training.exchange import AdapterExchange
from selfjudge_training.self_training.preferences import Judged
from selfjudge_training.self_training.seeds import derived_seed
from selfjudge_training.self_training.sources import Buffer
from selfjudge_training.self_training.stage import MODEL, Parts, is_finished, open_folder, publishers, samplers, train

_PART = TypeAdapter(list[Judged])


def train_off_policy(config: SelfTrainingConfig, output: Path) -> Path:
    """Fill the buffer, train on it, and return the model folder; goes on where it was interrupted.

    Raises ConfigError for several iterations, of which each would need a buffer of its own.
    """
    if config.iterations > 1:
        raise ConfigError(f"iterations: should be 1 off-policy, not {config.iterations}; run the command on its result")
    accelerator = make_accelerator()
    folder = open_folder(config, output, accelerator)
    if is_finished(output):
        return output / MODEL
    parts = Parts.make(config, accelerator, output)
    with closing(parts):  # nothing is sampled afterwards
        AdapterExchange(parts.policy, output / "adapters", accelerator, samplers(config, parts)).hand_over(0)
        buffer = Buffer(fill_buffer(config, parts, output / "buffer"))
    return train(config, parts, folder, buffer, publishers(config, output))


def fill_buffer(config: SelfTrainingConfig, parts: Parts, folder: Path) -> list[Judged]:
    """One pair for each prompt, of the policy as it is now; what ``folder`` holds already is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    size = config.rollouts.prompts_per_call
    calls = [range(start, min(start + size, len(parts.prompts))) for start in range(0, len(parts.prompts), size)]
    accelerator = parts.accelerator
    own = range(accelerator.process_index, len(calls), accelerator.num_processes)
    for number in tqdm(own, "filling the buffer", unit="call", disable=not accelerator.is_main_process):
        if not _part(folder, number).is_file():
            pairs = parts.on_policy.judged(calls[number], derived_seed(config.seed, "buffer", number))
            write_whole(_part(folder, number), _PART.dump_json(pairs).decode())
    accelerator.wait_for_everyone()
    return [
        pair
        for number in range(len(calls))
        for pair in _PART.validate_json(_part(folder, number).read_text(encoding="utf-8"))
    ]


def _part(folder: Path, number: int) -> Path:
    return folder / f"part-{number:06d}.json"
