"""A toy policy over the tokenizer of the tiny model, and prompts for it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from peft import LoraConfig, PeftModel, get_peft_model
from selfjudge_training.run.config import load_config
from selfjudge_training.run.model_folder import save_model_folder
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase
from trl.trainer.utils import add_fused_lm_head

from selfjudge import InPlaceTemplate
from selfjudge.shipped import TINY_MODEL

torch.set_num_threads(1)

TOY = Path(__file__).with_name("toy.yaml")
PROMPTS = "prompts.jsonl"
"""In the toy's folder: 40 instructions, each with a right and a wrong answer."""

SCORE = InPlaceTemplate(
    form="in-place", name="score", source="tests", question="Is that right? Answer A or B.", labels=("A", "B")
)
"""Its labels are tokens of the model that ships, unlike those of the template that ships."""


def toy(model: Path, *overrides: str, prompts: int = 40, config: Path = TOY) -> SelfTrainingConfig:
    """Of a model folder with its prompts, of which so many are taken."""
    return load_config(SelfTrainingConfig, config, [f"model={model}", sources(model, prompts), *overrides])


def sources(model: Path, prompts: int = 40) -> str:
    """The override that names them."""
    return f"prompts.sources=[{{format: preferences, path: {model / PROMPTS}, limit: {prompts}}}]"


def scored(folder: Path, samples: int = 3) -> list[str]:
    """The overrides by which so many samples are scored in place; ``folder`` gets the template."""
    (folder / "score.yaml").write_text(yaml.safe_dump(SCORE.model_dump(mode="json")), encoding="utf-8")
    return [f"judge={{template: {SCORE.name}, templates: {folder}}}", f"decoding.samples={samples}"]


def write_prompts(folder: Path) -> None:
    rows = [{"prompt": f"Add {n} and 4.", "chosen": str(n + 4), "rejected": str(n)} for n in range(10, 50)]
    (folder / PROMPTS).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def new_model(tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerBase:
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(TINY_MODEL, local_files_only=True)
    return loaded


@pytest.fixture
def toy_model(tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """With the head that log-ratios need."""
    model = new_model(tokenizer)
    add_fused_lm_head(model)
    return model


@pytest.fixture(scope="session")
def toy_folder(tokenizer: PreTrainedTokenizerBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, model = tmp_path_factory.mktemp("toy"), new_model(tokenizer)
    model.config.attention_dropout = 0.5  # which no stage may leave on
    save_model_folder(model, tokenizer, folder)
    write_prompts(folder)
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
        add_fused_lm_head(model)
        policy = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear"))
        assert isinstance(policy, PeftModel)
        return randomised(policy)

    return make
