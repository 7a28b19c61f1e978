"""From conversations to the token ids that a policy continues, and from its tokens to samples.

Token ids are those of inference and of JSFT (`selfjudge.Chat`), the same for every back end.
"""

from collections.abc import Iterable, Sequence

from selfjudge import Chat
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import PromptError, Sample


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
