"""What PEFT writes for models of many builds passes, against what Transformers writes of their base models."""

import warnings
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from selfjudge.adapters import AdapterError, check_adapter, read_base
from tests.selfjudge.adapters.files import WEIGHTS, read_tensors, write_tensors

SMALL = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "vocab_size": 40,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
KINDS: dict[str, dict[str, int]] = {
    "llama": SMALL,
    "qwen3": SMALL,
    "gemma3_text": SMALL,
    "phi3": SMALL,  # queries, keys and values in one matrix
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 40},  # inputs first
    "gpt_neox": SMALL,
    "opt": SMALL | {"ffn_dim": 32, "word_embed_proj_dim": 16},
    "qwen3_moe": SMALL | EXPERTS,  # experts are fused in memory, not in files
}


def make_model(kind: str) -> PreTrainedModel:
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **KINDS[kind]))
    return model


@pytest.fixture(params=KINDS)
def base_and_adapter(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    model = make_model(request.param)
    model.save_pretrained(tmp_path / "base")
    targets = ["q_proj", "v_proj"] if request.param == "qwen3_moe" else "all-linear"
    policy = get_peft_model(model, LoraConfig(r=4, target_modules=targets, fan_in_fan_out=request.param == "gpt2"))
    assert isinstance(policy, PeftModel)
    policy.save_pretrained(str(tmp_path / "adapter"))
    return tmp_path / "base", tmp_path / "adapter"


EMBEDDING = "base_model.model.model.embed_tokens.base_layer.weight"


def test_embeddings_that_peft_brings_along_pass_where_they_are_the_bases(tmp_path: Path) -> None:
    """As Transformers stores them in half precision and PEFT in full."""
    model = make_model("llama")
    model.half().save_pretrained(tmp_path / "base")
    policy = get_peft_model(model.float(), LoraConfig(r=4, target_modules=["q_proj", "embed_tokens"]))
    assert isinstance(policy, PeftModel)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PEFT's, that it brings them along
        policy.save_pretrained(str(tmp_path / "adapter"))
    base, arrays = read_base(tmp_path / "base"), read_tensors(tmp_path / "adapter" / WEIGHTS)
    assert check_adapter(tmp_path / "adapter", base.shapes, 8, base.weights).r == 4
    with pytest.raises(AdapterError, match="base model, which are not at hand; save the adapter with save_embedding"):
        check_adapter(tmp_path / "adapter", base.shapes, 8)
    arrays[EMBEDDING][-1, -1] += 1
    write_tensors(tmp_path / "adapter" / WEIGHTS, arrays)
    with pytest.raises(AdapterError, match=r"embed_tokens.weight of the base model, and what differs") as caught:
        check_adapter(tmp_path / "adapter", base.shapes, 8, base.weights)
    assert caught.value.reason == "base"


def test_what_peft_writes_passes(base_and_adapter: tuple[Path, Path]) -> None:
    base, adapter = base_and_adapter
    shapes = read_base(base).shapes
    assert check_adapter(adapter, shapes, 8).r == 4
    arrays = read_tensors(adapter / WEIGHTS)
    last = max(arrays).rpartition(".lora_")[0]
    write_tensors(adapter / WEIGHTS, {name: array for name, array in arrays.items() if not name.startswith(last)})
    with pytest.raises(AdapterError, match=f"1 parts are missing .first {last.removeprefix('base_model.model.')}"):
        check_adapter(adapter, shapes, 8)
