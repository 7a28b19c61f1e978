"""The model as a judge, run by plain PyTorch in batches: for mining and evaluation, where no server is running.

Prompts and verdicts are ``selfjudge``'s; this file only fetches the log-probabilities of the choice tokens.
"""

from collections.abc import Callable, Sequence

import torch
from transformers import LlamaForCausalLM

from selfjudge import ChoiceTokens, Comparison, JudgmentEncoder, PrincipleVerdict, Reading, Verdict

ROWS = 256
"""Judgment prompts read at a time."""

Reader = Callable[[Sequence[list[int]]], list[Reading]]
"""From judgment prompts, as token ids, to what the judge says to each."""


class Judge:
    """Judges comparisons in both orders, remembering each so that it is read once."""

    def __init__(self, encoder: JudgmentEncoder, read: Reader) -> None:
        self._encoder, self._read = encoder, read
        self._verdicts: dict[Comparison, Verdict] = {}

    def verdicts(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        """The verdict of each comparison, both orders averaged (section 3.1)."""
        new = [comparison for comparison in dict.fromkeys(comparisons) if comparison not in self._verdicts]
        prompts = self._encoder.encode_batch(new)
        readings = self._read([ids for prompt in prompts for ids in (prompt.first_at_a, prompt.first_at_b)])
        for comparison, at_a, at_b in zip(new, readings[::2], readings[1::2], strict=True):
            self._verdicts[comparison] = Verdict.of([PrincipleVerdict(None, at_a, at_b)])
        return [self._verdicts[comparison] for comparison in comparisons]


@torch.inference_mode()
def read_judgments(
    model: LlamaForCausalLM, choice: ChoiceTokens, pad_id: int, prompts: Sequence[list[int]]
) -> list[Reading]:
    """Read judgment prompts on one core; fastest where neighbours are of like length."""
    readings = []
    for start in range(0, len(prompts), ROWS):
        rows = prompts[start : start + ROWS]
        lengths = torch.tensor([len(ids) for ids in rows])
        width = int(lengths.max())
        ids = torch.tensor([row + [pad_id] * (width - len(row)) for row in rows])
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(rows)), lengths - 1]
        logprobs = model.lm_head(last).log_softmax(-1)[:, list(choice)]
        readings += [Reading(*row) for row in logprobs.tolist()]
    return readings
