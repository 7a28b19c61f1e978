"""What a roll-out back end does, whatever runs the model: sample with the newest adapter, judge without any.

Token ids of conversations are those of inference and of JSFT. Knows nothing of losses, of preference pairs, or of how a
verdict is made of readings (`judge`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from selfjudge import Chat, ChoiceTokens, Reading, SafeTokenizer
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


class RollOuts(ABC):
    """Policy and frozen reference in one copy of the weights: the adapter is what parts them.

    ``context`` is the longest sequence, prompt and response together, in tokens.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, context: int) -> None:
        self.chat, self.context = Chat(SafeTokenizer(tokenizer)), context
        self.ends = self.chat.end_ids()

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Sample]]:
        """`samples` responses of the policy to each conversation. Equal seeds give equal responses.

        Raises PromptError where a conversation and `max_new_tokens` together are longer than the model's context.
        """
        prompts = encode_prompts(self.chat, conversations)
        self._require_room(prompts, sampling.max_new_tokens)
        drawn = samples if sampling.temperature else 1
        generated = self._generate(prompts, drawn, sampling, seed)
        decode = self.chat.tokens.source.batch_decode
        texts = decode(generated, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        made = [Sample(text, ids, ids[-1] in self.ends) for text, ids in zip(texts, generated, strict=True)]
        return [made[start : start + drawn] * (samples // drawn) for start in range(0, len(made), drawn)]

    def read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[Reading]:
        """What the frozen reference, the model without adapter, says after each prompt.

        Raises PromptError where a prompt fills the model's context, ReadingError where the model says NaN.
        """
        self._require_room(prompts, 1)
        return [Reading(*each) for each in self._read(prompts, choice)]

    @abstractmethod
    def _generate(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling, seed: int) -> list[list[int]]:
        """So many responses to each prompt, one behind the other, each up to and with the token that ended it."""

    @abstractmethod
    def _read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[list[float]]:
        """Log-probabilities of the choice tokens behind each prompt, by the bare model."""

    def _require_room(self, prompts: Sequence[list[int]], new_tokens: int) -> None:
        for index, prompt in enumerate(prompts):
            if len(prompt) + new_tokens > self.context:
                raise PromptError(
                    f"prompt {index} has {len(prompt)} tokens, and {new_tokens} are to follow it, but the model's "
                    f"context is {self.context}; shorten or drop the prompt, or ask for fewer new tokens"
                )


class PromptError(ValueError):
    """A prompt leaves no room in the model's context for what is to follow it."""


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
