"""Log-likelihoods of responses by a model run by Transformers: an engine's cache is of no use where all is read."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import torch
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import encode_prompts
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from experiments.smollm2.evidence.kept import KeptRow
from selfjudge import Chat, SafeTokenizer

AT_ONCE = 8
"""Sequences in a batch: their logits fill the memory."""


class Likelihood(KeptRow):
    """Responses to one prompt."""

    logprobs: list[float]
    """Of each response as a whole, in nats."""
    tokens: list[int]


def likelihoods(model: Path, responses: Mapping[str, tuple[Messages, Sequence[Sequence[int]]]]) -> list[Likelihood]:
    """By key: a conversation, and the token ids of responses to it."""
    chat = load_chat(model)
    prompts = encode_prompts(chat, [conversation for conversation, _ in responses.values()])
    found = []
    for (key, (_, answers)), prompt in zip(responses.items(), prompts, strict=True):
        sums = [
            value
            for start in range(0, len(answers), AT_ONCE)
            for value in _logprobs(_model(model), prompt, answers[start : start + AT_ONCE])
        ]
        found.append(Likelihood(key=key, logprobs=sums, tokens=list(map(len, answers))))
    return found


@cache
def load_chat(model: Path) -> Chat:
    """The chat template of a model's tokenizer."""
    return Chat(SafeTokenizer(AutoTokenizer.from_pretrained(model, local_files_only=True)))


@cache
def _model(folder: Path) -> PreTrainedModel:
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    model.to("cuda" if torch.cuda.is_available() else "cpu")  # type: ignore[arg-type]  # transformers' decorator
    model.eval()
    return model


@torch.inference_mode()
def _logprobs(model: PreTrainedModel, prompt: list[int], answers: Sequence[Sequence[int]]) -> list[float]:
    longest = max(map(len, answers))
    # Causal attention keeps padding on the right from every real token, so that no mask is needed.
    rows = torch.tensor([[*prompt, *answer, *[0] * (longest - len(answer))] for answer in answers], device=model.device)
    logits: Tensor = model(input_ids=rows, use_cache=False, logits_to_keep=longest + 1).logits[:, :-1]
    taken = logits.float().log_softmax(-1).gather(-1, rows[:, len(prompt) :, None])[..., 0]
    return [float(row[: len(answer)].sum()) for row, answer in zip(taken, answers, strict=True)]
