"""The model, a small Llama that Transformers and vLLM load with nothing of ours: weights, answers, judgments."""

from collections.abc import Sequence
from pathlib import Path

import torch
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import RollOuts, Sampling
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.rollouts.judge import Judge
from selfjudge_training.run.model_folder import save_model_folder
from transformers import AutoTokenizer, GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase
from typing_extensions import override

from experiments.letters.letters_recipe import Shape
from selfjudge import Comparison, JudgmentEncoder, Verdict, load_templates

TEMPLATE = load_templates()["ultrafeedback"]
"""The judgment template that it learns (table 13)."""

SYSTEM_MESSAGE = str(TEMPLATE.system)
"""Its default system message (table 11)."""

CHUNK = 4096
"""Answers that are sampled with one seed; the next ones have the next seed."""

NEW_TOKENS = 24
"""No right answer has half as many; whatever is still going on here is cut, and wrong."""


def new_model(shape: Shape, tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """A model with tied embeddings, its weights drawn from PyTorch's global generator."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.inner_width,
            max_position_embeddings=shape.context,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def save_model(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, directory: Path, dtype: torch.dtype = torch.float32
) -> None:
    """Write a model directory that AutoModelForCausalLM, AutoTokenizer and vLLM load."""
    stored = LlamaForCausalLM(model.config)
    stored.load_state_dict(model.state_dict())
    # Plain sampling at temperature 1 is what the figures in the model card are about; let it be the default.
    plain = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    stored.generation_config = GenerationConfig(**plain, pad_token_id=tokenizer.pad_token_id)
    tokenizer.model_max_length = model.config.max_position_embeddings
    save_model_folder(torch.nn.Module.to(stored, dtype), tokenizer, directory)


def load_model(directory: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerBase]:
    """Read a model directory, weights as float32. Raises FileNotFoundError where there is no model."""
    if not (directory / "config.json").is_file():
        raise FileNotFoundError(f"{directory} holds no model (no config.json); train one with 'make model'")
    model = LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32, local_files_only=True)
    return model.eval(), AutoTokenizer.from_pretrained(directory, local_files_only=True)


def load_rollouts(directory: Path) -> HuggingFaceRollOuts:
    """What samples and judges by a saved model. Raises FileNotFoundError where there is none."""
    return HuggingFaceRollOuts(*load_model(directory), rows=512)


def asked(prompt: str, *, system: bool = False) -> Messages:
    """An instruction as a conversation, with or without the default system message in front."""
    before: Messages = [{"role": "system", "content": SYSTEM_MESSAGE}] if system else []
    return [*before, {"role": "user", "content": prompt}]


def sample_answers(
    rollouts: RollOuts, prompts: Sequence[str], samples: int, temperature: float, seed: int, *, system: bool = False
) -> list[list[str]]:
    """Texts of answers to each prompt, with or without the default system message in front."""
    conversations, how = [asked(prompt, system=system) for prompt in prompts], Sampling(temperature, 1.0, NEW_TOKENS)
    size = max(1, CHUNK // samples)
    return [
        [answer.text for answer in answers]
        for number, start in enumerate(range(0, len(prompts), size))
        for answers in rollouts.sample(
            conversations[start : start + size], samples=samples, sampling=how, seed=seed + number
        )
    ]


class RememberingJudge(Judge):
    """Reads each comparison once."""

    def __init__(self, rollouts: RollOuts) -> None:
        super().__init__(rollouts, [JudgmentEncoder(rollouts.chat, TEMPLATE, max_tokens=rollouts.context - 1)])
        self._known: dict[Comparison, Verdict] = {}

    @override
    def verdicts(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        new = [comparison for comparison in dict.fromkeys(comparisons) if comparison not in self._known]
        self._known |= zip(new, super().verdicts(new), strict=True)
        return [self._known[comparison] for comparison in comparisons]
