"""Roll-outs by Hugging Face `generate`, on the very module that the loop trains: one copy of the weights, no exchange.

The adapter is on while it samples and off while it judges. The module comes back as it was: modes, adapter state and
generation settings. `docs/results/rollouts.md` measures it against the engine.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model, load_peft_weights, set_peft_model_state_dict
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from selfjudge import AdapterError, Chat, ChoiceTokens, Reading, SafeTokenizer
from selfjudge.adapters import Shapes, check_adapter
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import Sample, Sampling, encode_prompts, make_samples, require_room

READ_TOKENS = 16_384
"""Tokens, padding included, that are judged at a time."""


class HuggingFaceRollOuts:
    """Samples and judges with a model that stays the caller's; what the caller trains is sampled from at once."""

    def __init__(
        self, model: PeftModel | PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, rows: int = 128
    ) -> None:
        """`rows` is how many responses are sampled at a time. A model without adapter samples and judges alike."""
        self._model, self._rows = model, rows
        self._base = cast("PreTrainedModel", model.get_base_model()) if isinstance(model, PeftModel) else model
        self._adapted = isinstance(model, PeftModel)
        self.chat = Chat(SafeTokenizer(tokenizer))
        self.context = int(self._base.config.get_text_config().max_position_embeddings)
        self._ends = self.chat.end_ids()

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Sample]]:
        """As `RollOuts.sample`; a seed gives the same responses again only to the same conversations together."""
        prompts = encode_prompts(self.chat, conversations)
        require_room(prompts, sampling.max_new_tokens, self.context)
        greedy = sampling.temperature == 0
        drawn = 1 if greedy else samples
        config = self._generation_config(drawn, sampling)
        found: dict[int, list[Sample]] = {}
        devices = [self._base.device] if self._base.device.type == "cuda" else []
        with torch.random.fork_rng(devices), self._inference(adapted=self._adapted):
            torch.manual_seed(seed)
            order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
            size = max(1, self._rows // drawn)
            for start in range(0, len(order), size):
                group = order[start : start + size]
                generated = self._generate([prompts[index] for index in group], config)
                made = make_samples(self.chat, generated, self._ends)
                for place, index in enumerate(group):
                    found[index] = made[place * drawn : (place + 1) * drawn]
        return [found[index] * (samples // drawn) for index in range(len(prompts))]

    def read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[Reading]:
        """As `RollOuts.read`, prompts of like length together."""
        require_room(prompts, 1, self.context)
        found: dict[int, Reading] = {}
        with self._inference(adapted=False):
            for group in _groups_by_length(prompts):
                logprobs = self._next_logprobs([prompts[index] for index in group])[:, list(choice)]
                found |= {index: Reading(*row) for index, row in zip(group, logprobs.tolist(), strict=True)}
        return [found[index] for index in range(len(prompts))]

    def use_adapter(self, path: Path | None) -> None:
        """As `RollOuts.use_adapter`: the folder's weights become those of the model's own adapter, made if need be.

        A loop that trains this very model has no need to call it: what it trains is what is sampled from.
        """
        if path is not None:
            check_adapter(path, _shapes_of(self._base))
            config = LoraConfig.from_pretrained(str(path))
            self._require_same_kind(path, config)
            if not isinstance(self._model, PeftModel):
                self._model = get_peft_model(self._base, config)
            set_peft_model_state_dict(self._model, load_peft_weights(str(path), device="cpu"))
        self._adapted = path is not None

    def _require_same_kind(self, path: Path, config: LoraConfig) -> None:
        if not isinstance(self._model, PeftModel):
            return
        own = self._model.active_peft_config
        for name in ("r", "lora_alpha", "target_modules", "use_rslora"):
            found, wanted = getattr(config, name), getattr(own, name)
            if found != wanted:
                raise AdapterError("config", f"{path}: {name} is {found}, but the model's own adapter has {wanted}")

    def _generation_config(self, samples: int, sampling: Sampling) -> GenerationConfig:
        greedy = sampling.temperature == 0
        return GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            num_return_sequences=samples,
            do_sample=not greedy,
            **({} if greedy else {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}),
            eos_token_id=self._ends,
            pad_token_id=self._ends[0],
            use_cache=True,
        )

    def _generate(self, prompts: Sequence[list[int]], config: GenerationConfig) -> list[list[int]]:
        """New token ids of each sample, up to the token that ended it; samples of one prompt side by side."""
        width = max(map(len, prompts))
        padding = [width - len(prompt) for prompt in prompts]
        ids = [[self._ends[0]] * pad + prompt for pad, prompt in zip(padding, prompts, strict=True)]
        mask = [[0] * pad + [1] * (width - pad) for pad in padding]
        generate = cast("Callable[..., Tensor]", self._base.generate)
        output = generate(self._tensor(ids), attention_mask=self._tensor(mask), generation_config=config)
        return [self._ended(row) for row in output[:, width:].tolist()]

    def _ended(self, row: list[int]) -> list[int]:
        places = (place for place, token in enumerate(row) if token in self._ends)
        return row[: next(places, len(row)) + 1]

    def _next_logprobs(self, prompts: Sequence[list[int]]) -> Tensor:
        """Log-probabilities [prompts, vocabulary] of the token behind each prompt."""
        width = max(map(len, prompts))
        # Causal attention keeps padding on the right from every real token, so that no mask is needed.
        ids = [prompt + [self._ends[0]] * (width - len(prompt)) for prompt in prompts]
        # Sorted by length, prompts end at few places: logits for those only.
        places = sorted({len(prompt) - 1 for prompt in prompts})
        columns = [places.index(len(prompt) - 1) for prompt in prompts]
        kept = torch.tensor(places, device=self._base.device)
        logits: Tensor = self._base(input_ids=self._tensor(ids), use_cache=False, logits_to_keep=kept).logits
        return logits[torch.arange(len(prompts)), columns].float().log_softmax(-1)

    def _tensor(self, rows: list[list[int]]) -> Tensor:
        return torch.tensor(rows, device=self._base.device)

    @contextmanager
    def _inference(self, *, adapted: bool) -> Iterator[None]:
        """The model in evaluation mode, with or without adapter; everything is put back afterwards."""
        modes = [(module, module.training) for module in self._model.modules()]
        # Switching an adapter off and on again makes PEFT train it, whether it was frozen or not.
        trained = [(parameter, parameter.requires_grad) for parameter in self._model.parameters()]
        # Generation settings that ship with a model (a repetition penalty, say) are for chat, not for a policy's loss.
        own_settings, self._base.generation_config = self._base.generation_config, GenerationConfig()
        bare = self._model.disable_adapter() if isinstance(self._model, PeftModel) and not adapted else nullcontext()
        self._model.eval()
        try:
            with torch.inference_mode(), bare:
                yield
        finally:
            self._base.generation_config = own_settings
            for module, training in modes:
                module.training = training
            for parameter, requires_grad in trained:
                parameter.requires_grad = requires_grad


def _groups_by_length(prompts: Sequence[list[int]]) -> Iterator[list[int]]:
    """Indices of prompts, shortest first, in groups of at most READ_TOKENS tokens when padded to their longest."""
    group: list[int] = []
    for index in sorted(range(len(prompts)), key=lambda index: len(prompts[index])):
        if group and len(prompts[index]) * (len(group) + 1) > READ_TOKENS:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def _shapes_of(base: PreTrainedModel) -> Shapes:
    """Of the model's own weights, by the names that they had before PEFT wrapped them."""
    return {
        name.replace(".base_layer.", "."): tuple(parameter.shape)
        for name, parameter in base.named_parameters()
        if ".lora_" not in name
    }
