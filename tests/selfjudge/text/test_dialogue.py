"""Table 10, as a chat template."""

from typing import Any

import pytest
from jinja2 import TemplateError as JinjaError
from transformers import PreTrainedTokenizerFast

from selfjudge import DIALOGUE_TEMPLATE

DIALOGUE = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "1"},
    {"role": "user", "content": " Two?\n"},
    {"role": "assistant", "content": "2"},
]


def render(tokenizer: PreTrainedTokenizerFast, messages: list[dict[str, Any]], *, answering: bool = False) -> str:
    return str(
        tokenizer.apply_chat_template(
            messages, chat_template=DIALOGUE_TEMPLATE, tokenize=False, add_generation_prompt=answering
        )
    )


def test_is_table_10(tokenizer: PreTrainedTokenizerFast) -> None:
    eos = tokenizer.eos_token
    assert render(tokenizer, DIALOGUE) == (
        f"<|system|>\nBe brief.\n<|user|>\nOne?\n<|assistant|>\n1{eos}\n<|user|>\n Two?\n\n<|assistant|>\n2{eos}"
    )


@pytest.mark.parametrize("turns", [2, 4])
def test_the_prompt_of_a_turn_begins_the_dialogue_that_has_it(tokenizer: PreTrainedTokenizerFast, turns: int) -> None:
    prompt = render(tokenizer, DIALOGUE[:turns], answering=True)
    assert prompt.endswith("\n<|assistant|>\n")
    assert render(tokenizer, DIALOGUE[: turns + 1]).startswith(prompt)


def test_takes_text_parts_and_no_content(tokenizer: PreTrainedTokenizerFast) -> None:
    parts = [{"type": "text", "text": "On"}, {"type": "text", "text": "e?"}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": parts}, {"role": "assistant", "content": None}]
    assert render(tokenizer, messages) == f"<|user|>\nOne?\n<|assistant|>\n{tokenizer.eos_token}"
    assert render(tokenizer, [{"role": "assistant", "content": parts}]).endswith(f"One?{tokenizer.eos_token}")


def test_refuses_other_roles(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(JinjaError, match="role must be system, user or assistant, not tool"):
        render(tokenizer, [{"role": "tool", "content": "42"}])
