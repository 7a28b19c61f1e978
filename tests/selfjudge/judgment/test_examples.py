"""Training examples of JSFT: inference's own tokens, the loss on what the assistant says."""

from collections.abc import Callable
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from selfjudge import (
    DIALOGUE_TEMPLATE,
    Chat,
    ChatTemplateError,
    ConversationError,
    JudgmentEncoder,
    RationalePair,
    SafeTokenizer,
    TemplateError,
    dialogue_example,
    judgment_example,
    load_templates,
)

Families = dict[str, Callable[[], PreTrainedTokenizerFast]]
DIALOGUE = [
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "It is 1."},
    {"role": "user", "content": "Two?"},
    {"role": "assistant", "content": "2"},
]
ENDINGS = {"byte-level": "</s>", "chatml": "<|im_end|>", "metaspace": "</s>", "legacy": "<end_of_turn>"}


def test_a_dialogue_has_the_ids_of_the_chat_template(chat: Chat) -> None:
    tokenizer = chat.tokens.source
    text = tokenizer.apply_chat_template(DIALOGUE, tokenize=False)
    assert dialogue_example(chat, DIALOGUE).input_ids == tokenizer(text, add_special_tokens=False)["input_ids"]


def test_targets_of_a_dialogue_are_the_assistants_turns_and_their_ends(chat: Chat) -> None:
    tokenizer = chat.tokens.source
    ending = ENDINGS.get(chat.tokens.name, "<|im_end|>")
    example = dialogue_example(chat, DIALOGUE)
    turns: list[list[int]] = []
    for previous, (token, target) in zip(
        [False, *example.loss_mask], zip(example.input_ids, example.loss_mask, strict=True), strict=False
    ):
        if target:
            turns += [[]] if not previous else []
            turns[-1].append(token)
    assert [str(tokenizer.decode(turn[:-1])).strip() for turn in turns] == ["It is 1.", "2"]
    assert [tokenizer.convert_ids_to_tokens(turn[-1]) for turn in turns] == [ending, ending]


def test_the_mask_is_the_one_that_the_dialogue_template_marks(
    families: Families,
) -> None:
    tokenizer = families["byte-level"]()
    marked: Any = tokenizer.apply_chat_template(DIALOGUE, return_dict=True, return_assistant_tokens_mask=True)
    example = dialogue_example(Chat(SafeTokenizer(tokenizer)), DIALOGUE)
    assert example.input_ids == marked["input_ids"]
    assert example.loss_mask == list(map(bool, marked["assistant_masks"]))


@pytest.mark.parametrize("turns", [1, 3])
def test_the_first_target_of_a_turn_is_the_first_token_behind_its_prompt(chat: Chat, turns: int) -> None:
    tokenizer = chat.tokens.source
    text = tokenizer.apply_chat_template(DIALOGUE[:turns], tokenize=False, add_generation_prompt=True)
    prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
    example = dialogue_example(chat, DIALOGUE)
    assert example.input_ids[: len(prompt)] == prompt
    assert example.loss_mask[len(prompt) - 1 : len(prompt) + 1] == [False, True]


def test_a_template_that_asks_otherwise_than_it_shows_is_refused(families: Families) -> None:
    asks = DIALOGUE_TEMPLATE + "{{ '<think>' if add_generation_prompt else '' }}"
    chat = Chat(SafeTokenizer(families["byte-level"]()), chat_template=asks)
    with pytest.raises(ChatTemplateError, match=r"roles user: asks for an answer by .*<think>', but shows one behind"):
        dialogue_example(chat, DIALOGUE)


def test_a_dialogue_is_data(chat: Chat) -> None:
    clean = [i for i in dialogue_example(chat, DIALOGUE).input_ids if i in chat.tokens.control_ids]
    for token in chat.tokens.source.added_tokens_decoder.values():
        dirty = [{**message, "content": f"{token.content}{message['content']}"} for message in DIALOGUE]
        ids = dialogue_example(chat, dirty).input_ids
        assert [i for i in ids if i in chat.tokens.control_ids and i != chat.tokens.source.unk_token_id] == clean


@pytest.mark.parametrize("messages", [[], DIALOGUE[:1], DIALOGUE[1:]])
def test_a_dialogue_without_answer_to_anything_is_refused(chat: Chat, messages: list[dict[str, str]]) -> None:
    with pytest.raises(ConversationError, match="needs an assistant message, and another before it"):
        dialogue_example(chat, messages)


@pytest.mark.parametrize("choice", ["A", "B"])
def test_a_judgment_is_its_prompt_the_choice_and_the_end(encoder: JudgmentEncoder, choice: str) -> None:
    example = judgment_example(encoder, "x", "y", "z", "A" if choice == "A" else "B")
    prompts = encoder.encode("x", "y", "z")
    assert example.prompt_ids == prompts.first_at_a
    assert example.target_ids[0] == getattr(encoder.choice_tokens, choice.lower())
    ending = ENDINGS.get(encoder.chat.tokens.name, "<|im_end|>")
    assert encoder.chat.tokens.source.convert_ids_to_tokens(example.target_ids[-1]) == ending
    assert str(encoder.chat.tokens.source.decode(example.target_ids[1:-1])).strip() == ""


def test_a_rationale_follows_the_choice_and_is_data(chat: Chat) -> None:
    encoder = JudgmentEncoder(chat, load_templates()["ultrafeedback-principle-rationale"], "honesty", max_tokens=4000)
    eos = str(chat.tokens.source.eos_token)
    example = judgment_example(encoder, "x", "y", "z", "B", RationalePair(of_a=f"bad{eos}", of_b="good {x}"))
    text = str(chat.tokens.source.decode(example.target_ids))
    assert text.lstrip().startswith(f"B\n\nEvaluation of Response A: bad{eos}\nEvaluation of Response B: good {{x}}")
    assert sum(token in chat.tokens.control_ids for token in example.target_ids) == 1


def test_a_rationale_needs_a_template_for_it(byte_level: JudgmentEncoder) -> None:
    with pytest.raises(TemplateError, match="'ultrafeedback' has no rationale, but one was given"):
        judgment_example(byte_level, "x", "y", "z", "A", RationalePair("a", "b"))


def test_a_turn_that_nothing_ends_cannot_be_learnt(families: Families) -> None:
    plain = "{%- for m in messages -%}{{- m.role + ': ' + m.content + '\n' -}}{%- endfor -%}"
    chat = Chat(SafeTokenizer(families["byte-level"]()), chat_template=plain)
    with pytest.raises(ChatTemplateError, match="ends the assistant's turn by no control token"):
        dialogue_example(chat, DIALOGUE)
