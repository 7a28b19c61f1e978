"""Conversations of data sets as a model's own chat template shows them, and which ones it refuses.

A system message for which a template has no place (Gemma's, early Mistral's) goes to the head of the user's first turn,
as in judgments.
"""

from functools import lru_cache

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from selfjudge import CONTROL_TOKENS, DIALOGUE_TEMPLATE, Chat, ChatTemplateError, SafeTokenizer, dialogue_example
from selfjudge_training.data.records import Messages
from selfjudge_training.data.source import DataError, MalformedRowError


def load_chat(name: str) -> Chat:
    """The chat of a tokenizer folder, or of a model's name on the hub. Raises DataError where there is none."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise DataError(f"{name}: no tokenizer in a folder of this name, and none to be had from the hub") from error
    give_template(tokenizer)
    return Chat(SafeTokenizer(tokenizer))


def give_template(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Give a tokenizer without a chat template the paper's (table 10); returns the ids of the tokens added for it."""
    if tokenizer.chat_template is not None:
        return []
    known = len(tokenizer)
    tokenizer.chat_template = DIALOGUE_TEMPLATE
    tokenizer.add_special_tokens({"additional_special_tokens": list(CONTROL_TOKENS)})
    return list(range(known, len(tokenizer)))


def as_shown(chat: Chat, conversation: Messages, system: str | None) -> Messages:
    """The conversation with the default system message in front, unless it has one or there is none."""
    if system is not None and conversation[0]["role"] != "system":
        conversation = [{"role": "system", "content": system}, *conversation]
    if [message["role"] for message in conversation[:2]] != ["system", "user"] or _takes_system(chat):
        return conversation
    first, second, *rest = conversation
    return [{"role": "user", "content": f"{first['content']}\n\n{second['content']}"}, *rest]


def require_dialogue(chat: Chat, conversation: Messages, system: str | None, *, answered: bool = True) -> None:
    """Raises MalformedRowError where the chat template can't show a conversation with a response to learn.

    Where there is none (`answered` is false), it is enough that the template can ask for one.
    """
    if answered and next((turn["role"] for turn in conversation if turn["role"] != "system"), "") == "assistant":
        raise MalformedRowError("the conversation begins with the assistant: there is nothing that this turn answers")
    roles = tuple(message["role"] for message in as_shown(chat, conversation, system))
    if refusal := _refusal(chat, roles, answered=answered):
        raise MalformedRowError(refusal)


@lru_cache(8)
def _takes_system(chat: Chat) -> bool:
    return chat.question()[1]


@lru_cache(1024)
def _refusal(chat: Chat, roles: tuple[str, ...], *, answered: bool) -> str:
    """Why a chat template can't show a conversation with an answer, or ask for one; empty where it can."""
    try:
        if answered:
            dialogue_example(chat, [{"role": role, "content": ""} for role in (*roles, "assistant")])
        else:
            chat.scaffold(roles, answering=True)
    except ChatTemplateError as error:
        return str(error)
    return ""
