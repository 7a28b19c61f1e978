"""Dropout of a model's own is off in training mode, whatever the architecture calls it and wherever it reads it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel
from selfjudge_training.self_training.losses import Pair, log_ratios
from selfjudge_training.self_training.policy import load_base
from selfjudge_training.self_training.self_training_config import Machine
from transformers import AutoConfig, AutoModelForCausalLM
from trl.trainer.utils import add_fused_lm_head

SMALL = {
    "max_position_embeddings": 64,
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
ATTENTION = r".*\.(q_proj|c_attn|query_key_value)"
PAIR = Pair([3, 40, 41, 4], [50, 51, 52, 0], [60, 61, 62, 0])


@pytest.mark.parametrize(
    ("architecture", "drawn"),
    [
        ("llama", {"attention_dropout": 0.5, "intermediate_size": 64}),
        ("gpt2", {"attn_pdrop": 0.5, "resid_pdrop": 0.5, "embd_pdrop": 0.5}),
        ("falcon", {"attention_dropout": 0.5, "hidden_dropout": 0.5}),
        ("opt", {"dropout": 0.5, "layerdrop": 0.5, "ffn_dim": 64, "word_embed_proj_dim": 32}),
        ("mixtral", {"router_jitter_noise": 0.5, "num_local_experts": 2, "num_key_value_heads": 2}),
    ],
)
def test_policy_and_reference_begin_alike(architecture: str, drawn: dict[str, Any], tmp_path: Path) -> None:
    """In training mode, as a step has it: its first loss is that of equal log-probabilities."""
    config = AutoConfig.for_model(architecture, **{**SMALL, **drawn})
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    base = load_base(tmp_path, Machine())
    add_fused_lm_head(base)
    policy = PeftModel(
        base, LoraConfig(r=2, target_modules=ATTENTION, lora_dropout=0.5, fan_in_fan_out=architecture == "gpt2")
    )
    assert log_ratios(policy.train(), [PAIR])[0].tolist() == [[0.0], [0.0]]
    kept = {name: value for name, value in drawn.items() if isinstance(value, float)}
    assert {name: getattr(base.config, name) for name in kept} == kept, "what is saved is another model"
    assert {module.p for module in policy.modules() if type(module) is torch.nn.Dropout} >= {0.5}
