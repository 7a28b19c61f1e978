"""What a roll-out back end does, whatever runs the model: sample with the newest adapter, judge without any.

Knows nothing of losses, of preference pairs, or of how a verdict is made of readings (`judge`).
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from selfjudge import Chat, ChoiceTokens, Reading
from selfjudge_training.data.records import Messages


class Sampling(NamedTuple):
    """How responses are sampled; temperature and top-p are the paper's for self-training (section 3.2)."""

    temperature: float = 1.0
    """0 is greedy decoding."""
    top_p: float = 0.9
    max_new_tokens: int = 512


class Sample(NamedTuple):
    """One response of the policy."""

    text: str
    """Without control tokens: what a reader, and the judge, sees."""
    token_ids: list[int]
    """What the policy generated, with the token that ends the turn where it is finished: what a loss is taken over."""
    finished: bool
    """False where `max_new_tokens` cut it off."""


class RollOuts(Protocol):
    """Policy and frozen reference in one copy of the weights: the adapter is what parts them."""

    chat: Chat
    """The tokenizer and its template, the same for what is sampled and what is judged."""
    context: int
    """Longest sequence, prompt and response together, in tokens."""

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Sample]]:
        """`samples` responses of the policy to each conversation. Equal seeds give equal responses.

        Raises PromptError where a conversation and `max_new_tokens` together are longer than the model's context.
        """
        ...

    def read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[Reading]:
        """What the frozen reference, the model without adapter, says after each prompt.

        Raises PromptError where a prompt fills the model's context, ReadingError where the model says NaN.
        """
        ...

    def use_adapter(self, path: Path | None) -> None:
        """Sample with this adapter from now on: a folder as PEFT writes it; None: with the bare model.

        Raises `selfjudge.AdapterError` where the folder holds no adapter for this model, and leaves the one in use.
        """
        ...


def seed_of(seed: int, place: int) -> int:
    """The seed of 48 bits for the responses to the conversation at a place, of those sampled together.

    vLLM adds 0, 1, ... to it for the responses to one conversation, in the process and in a server alike.
    """
    return random.Random(f"{seed}:{place}").getrandbits(48)


class PromptError(ValueError):
    """A prompt leaves no room in the model's context for what is to follow it."""


class EngineMissingError(ValueError):
    """The engine back end was asked for where vLLM is not installed."""
