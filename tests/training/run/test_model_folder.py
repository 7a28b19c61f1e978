"""Whatever stage writes a model folder, its generation settings know the token that ends an answer."""

import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi, RepoUrl
from selfjudge_training.cli import main
from selfjudge_training.data.rows import write_lines
from selfjudge_training.jsft.jsft_config import JsftConfig
from selfjudge_training.jsft.jsft_stage import run_jsft
from selfjudge_training.run.model_folder import save_model_folder
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig
from selfjudge_training.self_training.self_training_stage import self_train
from transformers import AutoConfig, AutoTokenizer, GenerationConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from experiments.letters.letters_recipe import Shape
from experiments.letters.model import new_model
from experiments.letters.preferences.rows import checkable_rows
from selfjudge import DIALOGUE_TEMPLATE

torch.set_num_threads(1)

END_OF_TURN, END_OF_SEQUENCE = 0, 1
"""Ids of the shipped tokenizer's <|eos|> and <|pad|>, in these roles here."""

QUICK = {"batch": 2, "learning_rate": 1e-3}


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerBase:
    """As Qwen 2.5's base comes: the template ends a turn by another token than the tokenizer ends a sequence."""
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        "selfjudge/models/selfjudge-tiny", local_files_only=True
    )
    loaded.chat_template = DIALOGUE_TEMPLATE.replace("eos_token", "'<|eos|>'")
    loaded.eos_token = "<|pad|>"
    assert loaded.eos_token_id == END_OF_SEQUENCE
    return loaded


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return new_model(Shape(width=32, layers=1, heads=2, inner_width=64, context=512), tokenizer)


@pytest.fixture
def start(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")
    assert ends(tmp_path / "start") == END_OF_SEQUENCE
    return tmp_path / "start"


@pytest.fixture
def pairs(tmp_path: Path) -> dict[str, str]:
    write_lines(checkable_rows("preferences", 4), tmp_path / "pairs.jsonl")
    return {"format": "preferences", "path": str(tmp_path / "pairs.jsonl")}


def ends(folder: Path) -> int | list[int] | None:
    found: int | list[int] | None = GenerationConfig.from_pretrained(folder).eos_token_id
    return found


def test_jsft(start: Path, pairs: dict[str, str], tmp_path: Path) -> None:
    config = {
        "start": {"path": str(start), "architecture": "llama"},
        "data": {"template": "ultrafeedback", "pairs": [pairs], "max_length": 512},
        "optimisation": {**QUICK, "micro_batch": 2, "steps": 1},
    }
    assert ends(run_jsft(JsftConfig.model_validate(config), tmp_path / "run")) == [END_OF_TURN, END_OF_SEQUENCE]


def test_self_training(start: Path, pairs: dict[str, str], tmp_path: Path) -> None:
    config = {
        "model": start,
        "max_tokens": 256,
        "prompts": {"sources": [pairs]},
        "decoding": {"max_new_tokens": 4},
        "optimisation": {**QUICK, "epochs": 1},
    }
    assert ends(self_train(SelfTrainingConfig.model_validate(config), tmp_path / "run")) == [0, 1]


def test_tokens_at_which_it_stopped_before_stay(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    model.generation_config = GenerationConfig(eos_token_id=[7, 1], temperature=0.7, do_sample=True)
    save_model_folder(model, tokenizer, tmp_path)
    settings = GenerationConfig.from_pretrained(tmp_path)
    assert (settings.eos_token_id, settings.temperature) == ([0, 1, 7], 0.7)


def test_it_generates_with_a_cache_although_the_trainer_turned_it_off(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    model.config.use_cache = False
    save_model_folder(model, tokenizer, tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).use_cache


def test_a_model_goes_to_the_hub_when_that_is_asked_for(
    start: Path,
    pairs: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[dict[str, object]] = []
    monkeypatch.setattr(HfApi, "create_repo", lambda self, name, **options: RepoUrl(f"https://huggingface.co/{name}"))
    monkeypatch.setattr(HfApi, "upload_folder", lambda self, **options: calls.append(options))
    overrides = [f"model={start}", f"prompts.sources=[{json.dumps(pairs)}]", "max_tokens=256"]
    overrides += ["decoding.max_new_tokens=4", "optimisation.batch=2", "optimisation.epochs=1"]
    run = ["self-train", "--output", str(tmp_path / "run"), "--push-to-hub", "me/judge"]
    assert main([*run, *overrides]) == 0
    assert calls == [{"repo_id": "me/judge", "folder_path": tmp_path / "run" / "model"}]
