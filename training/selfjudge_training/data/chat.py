"""A tokenizer as JSFT uses it: with its own chat template, or the paper's where it has none (table 10)."""

from transformers import AutoTokenizer

from selfjudge import CONTROL_TOKENS, DIALOGUE_TEMPLATE, Chat, SafeTokenizer
from selfjudge_training.data.source import DataError


def load_chat(name: str) -> Chat:
    """The chat of a tokenizer folder, or of a model's name on the hub. Raises DataError where there is none."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise DataError(f"{name}: no tokenizer in a folder of this name, and none to be had from the hub") from error
    if tokenizer.chat_template is None:
        tokenizer.chat_template = DIALOGUE_TEMPLATE
        tokenizer.add_special_tokens({"additional_special_tokens": list(CONTROL_TOKENS)})
    return Chat(SafeTokenizer(tokenizer))
