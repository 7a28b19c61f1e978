"""Roll-outs by Hugging Face `generate`, on the very module that the loop trains: one copy of the weights, no exchange.

The adapter is on while it samples and off while it judges. `docs/results/rollouts.md` measures it against the engine.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import cast

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from typing_extensions import override

from selfjudge import ChoiceTokens
from selfjudge_training.rollouts.base import RollOuts, Sampling

READ_TOKENS = 16_384
"""Tokens, padding included, that are judged at a time."""


class HuggingFaceRollOuts(RollOuts):
    """Samples and judges with a model that stays the caller's; what the caller trains is sampled from at once.

    ``rows`` is how many responses are sampled at a time. A model without adapter samples and judges alike.
    """

    def __init__(
        self, model: PeftModel | PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, rows: int = 128
    ) -> None:
        self._model, self._rows = model, rows
        self._base = cast("PreTrainedModel", model.get_base_model()) if isinstance(model, PeftModel) else model
        super().__init__(tokenizer, int(self._base.config.get_text_config().max_position_embeddings))

    @override
    def _generate(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling, seed: int) -> list[list[int]]:
        """A seed gives the same responses again only to the same conversations together."""
        drawn = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
        config = GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            num_return_sequences=samples,
            do_sample=sampling.temperature > 0,
            **(drawn if sampling.temperature else {}),
            eos_token_id=self.ends,
            pad_token_id=self.ends[0],
            use_cache=True,
        )
        found: dict[int, list[list[int]]] = {}
        devices = [self._base.device] if self._base.device.type == "cuda" else []
        with torch.random.fork_rng(devices), self._inference(adapted=True):
            torch.manual_seed(seed)
            order, size = _by_length(prompts), max(1, self._rows // samples)
            for group in (order[start : start + size] for start in range(0, len(order), size)):
                rows = self._continued([prompts[index] for index in group], config)
                found |= {index: rows[place * samples :][:samples] for place, index in enumerate(group)}
        return [ids for index in range(len(prompts)) for ids in found[index]]

    def _continued(self, prompts: Sequence[list[int]], config: GenerationConfig) -> list[list[int]]:
        ids = self._padded(prompts, "left")
        mask = pad_sequence([torch.ones(len(each), dtype=torch.long) for each in prompts], True, padding_side="left")
        generate = cast("Callable[..., Tensor]", self._base.generate)
        output = generate(ids, attention_mask=mask.to(ids.device), generation_config=config)
        return [self._ended(row) for row in output[:, ids.shape[1] :].tolist()]

    def _ended(self, row: list[int]) -> list[int]:
        places = (place for place, token in enumerate(row) if token in self.ends)
        return row[: next(places, len(row)) + 1]

    @override
    def _read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[list[float]]:
        """Prompts of like length together."""
        found: dict[int, list[float]] = {}
        with self._inference(adapted=False):
            for group in _groups_by_length(prompts):
                logprobs = self._next_logprobs([prompts[index] for index in group])[:, list(choice)]
                found |= zip(group, logprobs.tolist(), strict=True)
        return [found[index] for index in range(len(prompts))]

    def _next_logprobs(self, prompts: Sequence[list[int]]) -> Tensor:
        """Log-probabilities [prompts, vocabulary] of the token behind each prompt."""
        # Causal attention keeps padding on the right from every real token, so that no mask is needed.
        ids = self._padded(prompts, "right")
        # Sorted by length, prompts end at few places: logits for those only.
        places = sorted({len(prompt) - 1 for prompt in prompts})
        columns = [places.index(len(prompt) - 1) for prompt in prompts]
        kept = torch.tensor(places, device=ids.device)
        logits: Tensor = self._base(input_ids=ids, use_cache=False, logits_to_keep=kept).logits
        return logits[torch.arange(len(prompts)), columns].float().log_softmax(-1)

    def _padded(self, rows: Sequence[list[int]], side: str) -> Tensor:
        ids = pad_sequence([torch.tensor(row) for row in rows], True, self.ends[0], padding_side=side)
        return ids.to(self._base.device)

    @contextmanager
    def _inference(self, *, adapted: bool) -> Iterator[None]:
        """The model in evaluation mode, with or without adapter; afterwards it is as it was."""
        # Generation settings that ship with a model (a repetition penalty, say) are for chat, not for a policy's loss.
        own_settings, self._base.generation_config = self._base.generation_config, GenerationConfig()
        bare = self._model.disable_adapter() if isinstance(self._model, PeftModel) and not adapted else nullcontext()
        training = self._model.training
        self._model.eval()
        try:
            with torch.inference_mode(), bare:
                yield
        finally:
            self._base.generation_config = own_settings
            self._model.train(training)


def _by_length(prompts: Sequence[list[int]]) -> list[int]:
    """Indices of prompts, shortest first."""
    return sorted(range(len(prompts)), key=lambda index: len(prompts[index]))


def _groups_by_length(prompts: Sequence[list[int]]) -> Iterator[list[int]]:
    """Indices of prompts, shortest first, in groups of at most READ_TOKENS tokens when padded to their longest."""
    group: list[int] = []
    for index in _by_length(prompts):
        if group and len(prompts[index]) * (len(group) + 1) > READ_TOKENS:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
