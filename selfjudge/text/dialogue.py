"""The dialogue template of table 10, as a chat template for models trained by JSFT.

A model that has a chat template of its own keeps it; this one is for tokenizers that we make. It knows three roles and
nothing of tools, as the paper does; another role is an error, never a silent drop. The default system messages that go
with it (table 11) are those of the judgment templates `hh-helpful` and `ultrafeedback`.
"""

from importlib.resources import files
from typing import Final

CONTROL_TOKENS: Final = ("<|system|>", "<|user|>", "<|assistant|>")
"""To be added to a tokenizer as special tokens, so that each is one id that no text can spell."""

DIALOGUE_TEMPLATE: Final = (
    files("selfjudge").joinpath("templates", "dialogue.jinja").read_text(encoding="utf-8").strip()
)
"""Jinja source, to be set as a Hugging Face tokenizer's `chat_template` (table 10; `[EOS]` is its `eos_token`).

Contents are strings or lists of OpenAI text parts and are stripped of nothing. The assistant's turns, end-of-sequence
token included, are marked for `return_assistant_tokens_mask`.
"""
