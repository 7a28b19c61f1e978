"""Adapters for a Llama-like model that write in an alphabet of their own, whatever they are asked.

Made in a second, without training: the last layer's feed-forward part gets one more output, a constant as well as a
linear map of its inputs can give one, in the direction in which four characters have the greatest logits. Versions
beyond the number of alphabets are the same adapters, a little stronger each time.
"""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from loadtests.swaps.askers import LETTERS, POLICY
from loadtests.workload import draw_jobs
from selfjudge.adapters.base import Base, read_base
from selfjudge.adapters.check import WEIGHTS
from selfjudge.adapters.config import CONFIG
from selfjudge.adapters.store import Store

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ALPHABETS: Final = ("0123", "4567", "CDEF", "GHIJ", "KLMN", "OPQR", "STUV", "WXYZ")
"""Tokens of the shipped model; not the choice tokens, `A` and `B`."""

_STRENGTH: Final = 12.0
"""Of the added output, in lengths of the hidden state. At half of it one place in some thousands has another character
among its best. The judge still sees what it reads, by what is left of it."""

_TRIED: Final = 512
"""Prompts that alphabets are tried on: all of the load's."""

_STEPS: Final = 200
_TEMPLATE: Final = "ultrafeedback"


class Version(NamedTuple):
    """A published version and the characters that it writes."""

    name: str
    alphabet: str


class _Insides(NamedTuple):
    """What an adapter is made from: inputs of the last feed-forward part's output, hidden states, the way to logits."""

    inputs: torch.Tensor
    """[places, width]"""
    hidden: torch.Tensor
    """[places, hidden], before the last norm."""
    to_logits: torch.Tensor
    """[vocabulary, hidden], with the norm's weights."""
    module: str


def publish_versions(model: Path, store: Path, count: int) -> list[Version]:
    """Makes and publishes versions, neighbours of different alphabets.

    Raises:
        RuntimeError: if an adapter would write other characters, on the prompts that it is tried on.
    """
    tokenizer = cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(model))
    insides, base = _look_inside(model, tokenizer), read_base(model)
    gate = torch.linalg.lstsq(insides.inputs, torch.ones(len(insides.inputs), 1)).solution.T
    versions = []
    for index in range(count):
        alphabet = ALPHABETS[index % len(ALPHABETS)]
        letters = torch.tensor(tokenizer.convert_tokens_to_ids(list(alphabet)))
        strength = _STRENGTH * (1 + index // len(ALPHABETS) / 100)
        added = strength * insides.hidden.norm(dim=1).mean() * _direction(insides.to_logits, letters)[:, None]
        if index < len(ALPHABETS):
            _require_letters(insides, gate, added, letters, alphabet)
        versions.append(Version(_publish(Store(store), base, insides.module, gate, added), alphabet))
    return versions


def _look_inside(path: Path, tokenizer: "PreTrainedTokenizerBase") -> _Insides:
    model = cast("PreTrainedModel", AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32))
    name, last = [(name, one) for name, one in model.named_modules() if name.endswith("mlp.down_proj")][-1]
    inputs, hidden = [], []
    last.register_forward_pre_hook(lambda _, args: inputs.append(args[0][0]))
    norm: Any = model.get_submodule("model.norm")
    norm.register_forward_pre_hook(lambda _, args: hidden.append(args[0][0]))
    with torch.no_grad():
        for index, job in enumerate(draw_jobs(_TRIED)):
            answer = "".join(
                ALPHABETS[index % len(ALPHABETS)][place * (place + index) % LETTERS] for place in range(16)
            )
            messages: Any = [*job.messages, {"role": "assistant", "content": answer}]
            ids: Any = tokenizer.apply_chat_template(messages, return_tensors="pt", return_dict=False)
            model(ids)
    head: Any = model.get_output_embeddings()
    return _Insides(torch.cat(inputs), torch.cat(hidden), head.weight.detach() * norm.weight.detach(), name)


def _direction(to_logits: torch.Tensor, letters: torch.Tensor) -> torch.Tensor:
    """The unit vector under which these tokens are as probable as can be, each as much as the others."""
    towards = to_logits[letters].mean(0).clone().requires_grad_()
    optimizer = torch.optim.Adam([towards], lr=0.03)
    for _ in range(_STEPS):
        logits = to_logits @ (towards / towards.norm()) * len(towards) ** 0.5
        loss = -logits.log_softmax(0)[letters].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found: torch.Tensor = (towards / towards.norm()).detach()
    return found


def _require_letters(
    insides: _Insides, gate: torch.Tensor, added: torch.Tensor, letters: torch.Tensor, alphabet: str
) -> None:
    hidden = insides.hidden + (insides.inputs @ gate.T) @ added.T
    best = (hidden @ insides.to_logits.T).topk(LETTERS).indices
    strange = ~torch.isin(best, letters).all(dim=1)
    if strange.any():
        raise RuntimeError(f"{alphabet!r}: {strange.sum()} of {len(strange)} places would have another character")


def _publish(store: Store, base: Base, module: str, gate: torch.Tensor, added: torch.Tensor) -> str:
    name = f"base_model.model.{module}"
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": [module], "bias": "none"}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, CONFIG).write_text(json.dumps(config))
        tensors = {f"{name}.lora_A.weight": gate.contiguous(), f"{name}.lora_B.weight": added.contiguous()}
        save_file(tensors, Path(folder, WEIGHTS), metadata={"format": "pt"})
        return store.publish(POLICY, Path(folder), base=base, template=_TEMPLATE).version
