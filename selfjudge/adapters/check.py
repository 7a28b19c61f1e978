"""Whether a folder holds an adapter that a model can use, asked before a store, a trainer or an engine takes it in.

vLLM silently takes weights that are not numbers, for another model, or of another rank than their configuration says.
This checks files alone; the server's probe finds out what the adapter makes the model say.
"""

from pathlib import Path
from typing import Final

from selfjudge.adapters.base import Shapes, Weights
from selfjudge.adapters.config import CONFIG, ENGINE_RANKS, AdapterConfig, read_config
from selfjudge.adapters.embeddings import require_copies, without_copies
from selfjudge.adapters.modules import LoraModule, pair_up, require_all
from selfjudge.adapters.tensors import read_header
from selfjudge.adapters.values import require_values
from selfjudge.errors import AdapterError

WEIGHTS: Final = "adapter_model.safetensors"


def check_adapter(
    folder: Path, shapes: Shapes, max_rank: int | None = None, weights: Weights | None = None
) -> AdapterConfig:
    """Read an adapter and hold it against the shapes of its base model's weights; returns its configuration.

    `max_rank` is what the engine was started for; None: whatever vLLM can be started for. `weights` are the base
    model's, for adapters that bring its embeddings along. Raises AdapterError: `files`, `config` and `unsupported` as
    `read_config` does; `rank`; `keys` where tensors are strange or missing; `base` as `require_copies` does; `shapes`;
    `dtype` and `values` as `require_values` does.
    """
    config = read_config(folder)
    _require_rank(folder, config, ENGINE_RANKS[-1] if max_rank is None else max_rank)
    path = folder / WEIGHTS
    if not path.is_file():
        raise AdapterError(
            "files", f"{folder} holds no adapter: it has no {WEIGHTS}, which PEFT's save_pretrained writes"
        )
    tensors = read_header(path)
    modules = pair_up(path, without_copies(tensors), shapes)
    require_all(path, modules, config, shapes)
    for module in modules:
        _require_shapes(path, module, config, shapes[module.weight])
        require_values(path, module, config)
    require_copies(path, tensors, shapes, weights)
    return config


def _require_rank(folder: Path, config: AdapterConfig, max_rank: int) -> None:
    if (rank := config.largest_rank) > max_rank:
        at_least = next((each for each in ENGINE_RANKS if each >= rank), None)
        advice = f"start it with --max-lora-rank {at_least}" if at_least else f"vLLM has at most {ENGINE_RANKS[-1]}"
        raise AdapterError(
            "rank", f"{folder}: rank {rank} is more than the {max_rank} that the engine was started for; {advice}"
        )


def _require_shapes(path: Path, module: LoraModule, config: AdapterConfig, shape: tuple[int, ...]) -> None:
    if len(shape) != 2:
        raise AdapterError("keys", f"{path}: {module.name} is no matrix in the base model, but has shape {list(shape)}")
    # Embeddings, and layers that PEFT calls fan_in_fan_out, keep their weights as [inputs, outputs].
    inputs, outputs = shape if module.embedding or config.fan_in_fan_out else shape[::-1]
    rank = config.rank_of(module.name)
    for tensor, wanted, other in ((module.a, (rank, inputs), 1), (module.b, (outputs, rank), 0)):
        if tensor.shape != wanted:
            raise AdapterError(
                "rank" if len(tensor.shape) == len(wanted) and tensor.shape[other] == wanted[other] else "shapes",
                f"{path}: a tensor of {module.name} has shape {list(tensor.shape)}, but base model and {CONFIG} ask "
                f"for {list(wanted)}",
            )
