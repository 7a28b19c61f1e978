"""The model as a judge, run by plain PyTorch in batches: for mining and evaluation, where no server is running.

Prompts and verdicts are ``selfjudge``'s; this file only fetches the log-probabilities of the choice tokens.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from tqdm import tqdm
from transformers import LlamaForCausalLM

from selfjudge import Comparison, PrincipleVerdict, Reading, Verdict
from training.documents import Renderer

ROWS = 256
"""Judgment prompts read at a time."""


class Judge:
    """Judges comparisons in both orders, remembering each so that it is read once."""

    def __init__(self, model: LlamaForCausalLM, renderer: Renderer, workers: int) -> None:
        self._model, self._encoder, self._workers = model, renderer.encoder, workers
        self._pad = renderer.chat.tokens.source.pad_token_id
        self._verdicts: dict[Comparison, Verdict] = {}

    def verdicts(self, comparisons: Sequence[Comparison], progress: str | None = None) -> list[Verdict]:
        """The verdict of each comparison, both orders averaged (section 3.1)."""
        new = [comparison for comparison in dict.fromkeys(comparisons) if comparison not in self._verdicts]
        prompts = self._encoder.encode_batch(new)
        readings = self._read([ids for prompt in prompts for ids in (prompt.first_at_a, prompt.first_at_b)], progress)
        for comparison, at_a, at_b in zip(new, readings[::2], readings[1::2], strict=True):
            self._verdicts[comparison] = Verdict.of([PrincipleVerdict(None, at_a, at_b)])
        return [self._verdicts[comparison] for comparison in comparisons]

    def _read(self, prompts: Sequence[list[int]], progress: str | None) -> list[Reading]:
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        groups = [order[start : start + ROWS] for start in range(0, len(order), ROWS)]
        readings: dict[int, Reading] = {}
        with ThreadPoolExecutor(self._workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            rows = pool.map(self._read_group, ([prompts[index] for index in group] for group in groups))
            for group, read in tqdm(zip(groups, rows, strict=True), progress, len(groups), disable=progress is None):
                readings.update(zip(group, read, strict=True))
        return [readings[index] for index in range(len(prompts))]

    @torch.inference_mode()
    def _read_group(self, prompts: Sequence[list[int]]) -> list[Reading]:
        lengths = torch.tensor([len(ids) for ids in prompts])
        width = int(lengths.max())
        ids = torch.tensor([ids + [self._pad] * (width - len(ids)) for ids in prompts])
        hidden = self._model.model(input_ids=ids, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(prompts)), lengths - 1]
        logprobs = self._model.lm_head(last).log_softmax(-1)[:, list(self._encoder.choice_tokens)]
        return [Reading(*row) for row in logprobs.tolist()]
