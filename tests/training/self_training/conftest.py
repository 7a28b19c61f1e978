"""A toy policy over the tokenizer of the model that ships."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from selfjudge_training.self_training.log_ratios import add_head
from selfjudge_training.tiny.model import Shape, new_model, save_model
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerBase

from selfjudge.shipped import SHIPPED_MODEL

torch.set_num_threads(1)

TOY = Shape(width=32, layers=2, heads=2, inner_width=64, context=256)
SHIPPED = SHIPPED_MODEL


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerBase:
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(SHIPPED, local_files_only=True)
    return loaded


@pytest.fixture
def toy_model(tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """With the head that log-ratios need."""
    torch.manual_seed(0)
    model = new_model(TOY, tokenizer)
    add_head(model)
    return model


@pytest.fixture(scope="session")
def toy_folder(tokenizer: PreTrainedTokenizerBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder, model = tmp_path_factory.mktemp("toy"), new_model(TOY, tokenizer)
    model.config.attention_dropout = 0.5  # which no stage may leave on
    save_model(model, tokenizer, folder)
    return folder


def randomised(policy: PeftModel, seed: int = 1) -> PeftModel:
    """Fill the adapter at random: a fresh one changes nothing, and no test could fail."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.parameters():
            if parameter.requires_grad:
                parameter.normal_(0, 0.3, generator=generator)
    return policy


@pytest.fixture
def make_policy(toy_model: LlamaForCausalLM) -> Callable[[], PeftModel]:
    def make() -> PeftModel:
        model = LlamaForCausalLM(toy_model.config)
        model.load_state_dict(toy_model.state_dict())
        add_head(model)
        policy = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear"))
        assert isinstance(policy, PeftModel)
        return randomised(policy)

    return make
