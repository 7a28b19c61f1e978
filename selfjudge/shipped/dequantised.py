"""From a GGUF file and an adapter to a folder of plain weights that Transformers and vLLM load."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from selfjudge.adapters.check import WEIGHTS, check_adapter
from selfjudge.adapters.config import CONFIG
from selfjudge.adapters.modules import pair_up
from selfjudge.adapters.tensors import read_header

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PARTS: Final = (CONFIG, WEIGHTS)
"""The files of an adapter."""

JUDGES: Final = {"method": "score"}
"""What `config.json` tells the server: the best of N is found by scores, which the adapter has learned to give."""

_END_OF_TURN: Final = 2
"""The id of `<|im_end|>`, which the GGUF file names for the tokenizer only."""


def write_folder(gguf: Path, adapter: Path | None, folder: Path) -> None:
    """Dequantise to bfloat16, join with a PEFT adapter if there is one, and save with the tokenizer.

    Raises AdapterError where the adapter isn't one of this model.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, GgufConfig  # noqa: PLC0415

    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype="bfloat16", quantization_config=GgufConfig(dequantize=True)
    )
    vars(model.config).pop("quantization_config", None)  # where it stays, the folder would say that it is quantised
    if adapter is not None:
        join(model, adapter)
    # Without sampling settings: those of a request alone decide, and on a CPU a top-p costs a third of the speed.
    model.generation_config = GenerationConfig(
        bos_token_id=model.config.bos_token_id, eos_token_id=_END_OF_TURN, pad_token_id=_END_OF_TURN
    )
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(folder)
    for weights in folder.glob("*.safetensors"):
        weights.chmod(0o644)  # safetensors keeps its files from other users


def join(model: "PreTrainedModel", adapter: Path) -> None:
    """Add a LoRA adapter to the weights, rounding once, and say in the configuration how the judge selects.

    Raises AdapterError where it isn't one of this model.
    """
    from safetensors.torch import load_file  # noqa: PLC0415

    weights = model.state_dict()
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    config = check_adapter(adapter, shapes)
    path = adapter / WEIGHTS
    tensors = load_file(path)
    for module in pair_up(path, read_header(path), shapes):
        a, b = (tensors[f"base_model.model.{module.name}.lora_{side}.weight"].float() for side in "AB")
        weight = weights[module.weight]
        weight.copy_(weight.float() + config.scaling_of(module.name) * (b @ a))
    model.config.selfjudge = JUDGES
