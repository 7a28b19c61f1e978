"""What a roll-out back end does, whatever runs the model: sample with the newest adapter, judge without any.

Also what all of them share: the token ids of a conversation, those of inference and of JSFT, and samples made of token
ids. Knows nothing of losses, of preference pairs, or of how a verdict is made of readings (`judge`).
"""

from collections.abc import Iterable, Sequence
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


class PromptError(ValueError):
    """A prompt leaves no room in the model's context for what is to follow it."""


class EngineMissingError(ValueError):
    """The engine back end was asked for where vLLM is not installed."""


def encode_prompts(chat: Chat, conversations: Iterable[Messages]) -> list[list[int]]:
    """Token ids of each conversation, up to where the assistant's answer begins.

    Raises ChatTemplateError where the chat template refuses the roles.
    """
    return chat.tokens.encode_batch([_prompt_text(chat, conversation) for conversation in conversations])


def _prompt_text(chat: Chat, conversation: Messages) -> str:
    roles = tuple(message["role"] for message in conversation)
    *before, last = map(chat.tokens.trusted, chat.scaffold(roles, answering=True))
    contents = (message["content"] for message in conversation)
    return "".join(piece + content for piece, content in zip(before, contents, strict=True)) + last


def require_room(prompts: Sequence[list[int]], new_tokens: int, context: int) -> None:
    """Raises PromptError for the first prompt that has no room for so many tokens behind it in the model's context."""
    for index, prompt in enumerate(prompts):
        if len(prompt) + new_tokens > context:
            raise PromptError(
                f"prompt {index} has {len(prompt)} tokens, and {new_tokens} are to follow it, but the model's context "
                f"is {context}; shorten or drop the prompt, or ask for fewer new tokens"
            )


def make_samples(chat: Chat, generated: list[list[int]], ends: Sequence[int]) -> list[Sample]:
    """Samples of token ids that a policy generated, each up to and with the token of `ends` that ended it, if any."""
    texts = chat.tokens.source.batch_decode(generated, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return [Sample(text, ids, ids[-1] in ends) for text, ids in zip(texts, generated, strict=True)]
