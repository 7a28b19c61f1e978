"""Sampling many answers to many prompts from one model on one core, in batches without padding.

Prompts of equal token length share a batch; each is read once, and its key-value cache repeated for its samples.
Token ids of prompts are those of inference (``selfjudge.Chat``). Leaves out top-p and the like: the data and the
evaluation need plain sampling at a temperature, and greedy decoding. Several cores: ``pool``.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from experiments.letters.model.documents import SYSTEM_MESSAGE
from selfjudge import Chat

MAX_NEW_TOKENS = 24
"""No right answer has half as many; whatever is still going on here is cut, and wrong."""

ROWS = 512
"""Sequences sampled at a time."""


@torch.inference_mode()
def sample_answers(
    model: LlamaForCausalLM,
    chat: Chat,
    prompts: Sequence[str],
    *,
    samples: int,
    temperature: float,
    seed: int,
    system: bool = False,
) -> list[list[str]]:
    """Sample answers to each prompt: a list of ``samples`` texts for each, in the order of the prompts.

    ``temperature`` 0 is greedy decoding. ``system`` puts the default system message in front.
    """
    roles, contents = (("system", "user"), (SYSTEM_MESSAGE,)) if system else (("user",), ())
    scaffold = [chat.tokens.trusted(piece) for piece in chat.scaffold(roles, answering=True)]
    opening, closing = "".join(a + b for a, b in zip(scaffold, contents, strict=False)) + scaffold[-2], scaffold[-1]
    encoded = chat.tokens.encode_batch([opening + prompt + closing for prompt in prompts])
    answers: list[list[str]] = [[] for _ in prompts]
    generator = torch.Generator().manual_seed(seed)
    for indices in _equal_lengths(encoded, max(1, ROWS // samples)):
        ids = torch.tensor([encoded[index] for index in indices])
        new = _sample(model, ids, samples, temperature, generator, chat.tokens.source.eos_token_id)
        texts = chat.tokens.source.batch_decode(new, skip_special_tokens=True)
        for row, index in enumerate(indices):
            answers[index] = texts[row * samples : (row + 1) * samples]
    return answers


def _equal_lengths(encoded: Sequence[list[int]], group: int) -> Iterator[list[int]]:
    by_length = defaultdict(list)
    for index, ids in enumerate(encoded):
        by_length[len(ids)].append(index)
    for indices in by_length.values():
        for start in range(0, len(indices), group):
            yield indices[start : start + group]


def _sample(
    model: LlamaForCausalLM, ids: Tensor, samples: int, temperature: float, generator: torch.Generator, end: int
) -> list[list[int]]:
    """New token ids, up to the end token, of ``samples`` rows for each row of ``ids`` [prompts, tokens]."""
    output = model(input_ids=ids, use_cache=True, logits_to_keep=1)
    cache, logits = output.past_key_values, output.logits[:, -1].repeat_interleave(samples, dim=0)
    cache.batch_repeat_interleave(samples)
    columns: list[Tensor] = []
    ended = torch.zeros(len(logits), dtype=torch.bool)
    while len(columns) < MAX_NEW_TOKENS:
        if temperature:
            next_ids = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)[:, 0]
        else:
            next_ids = logits.argmax(-1)
        columns.append(next_ids)
        ended |= next_ids == end
        if bool(ended.all()):
            break
        logits = model(input_ids=next_ids[:, None], past_key_values=cache, use_cache=True).logits[:, -1]
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(end)] if end in row else row for row in rows]
