"""Chat templates: what stands around contents, and which templates cannot be used."""

from collections.abc import Callable

import pytest
from transformers import PreTrainedTokenizerFast

from selfjudge import Chat, ChatTemplateError, SafeTokenizer

Families = dict[str, Callable[[], PreTrainedTokenizerFast]]


@pytest.fixture(scope="module")
def safe_bytes(families: Families) -> SafeTokenizer:
    return SafeTokenizer(families["byte-level"]())


def test_the_scaffold_is_what_stands_around_contents(safe_bytes: SafeTokenizer) -> None:
    chat = Chat(safe_bytes)
    assert chat.scaffold(("system", "user"), answering=True) == ("<|system|>\n", "\n<|user|>\n", "\n<|assistant|>\n")
    assert chat.turn_end() == "</s>"


def test_an_answer_ends_at_the_templates_token_and_at_the_end_of_sequence(families: Families) -> None:
    tokenizer = families["legacy"]()
    ends = Chat(SafeTokenizer(tokenizer)).end_ids()
    assert tokenizer.convert_ids_to_tokens(ends) == ["</s>", "<end_of_turn>"]
    same = families["byte-level"]()
    assert Chat(SafeTokenizer(same)).end_ids() == [same.eos_token_id]


def test_a_template_without_system_role_leaves_it_to_the_user_turn(families: Families) -> None:
    scaffold, takes_system = Chat(SafeTokenizer(families["legacy"]())).question()
    assert not takes_system
    assert scaffold == ("<s><start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n")


def test_a_template_that_drops_the_system_message_counts_as_one_without(safe_bytes: SafeTokenizer) -> None:
    dropping = "{%- for m in messages if m.role == 'user' -%}{{- m.content -}}{%- endfor -%}"
    assert Chat(safe_bytes, dropping).question() == (("", ""), False)


@pytest.mark.parametrize("template", ["{{ messages[0].content }}{{ messages[0].content }}", "always the same"])
def test_contents_must_be_shown_exactly_once(safe_bytes: SafeTokenizer, template: str) -> None:
    with pytest.raises(ChatTemplateError, match="'byte-level', given roles user: does not show the content of each ex"):
        Chat(safe_bytes, template).question()


def test_a_template_that_fails_is_named_with_its_complaint(safe_bytes: SafeTokenizer) -> None:
    with pytest.raises(ChatTemplateError, match="given roles tool: refuses: role must be system, user or assistant"):
        Chat(safe_bytes).scaffold(("tool",), answering=False)


def test_a_tokenizer_without_chat_template_is_refused(families: Families) -> None:
    tokenizer = families["byte-level"]()
    own, tokenizer.chat_template = tokenizer.chat_template, None
    try:
        with pytest.raises(ChatTemplateError, match=r"has no chat template; set its chat_template, or pass one"):
            Chat(SafeTokenizer(tokenizer))
    finally:
        tokenizer.chat_template = own


CHATML = "{%- for m in messages -%}{{- '<' + m.role + '>' + m.content -}}{%- endfor -%}"
ASKING = CHATML + "{%- if add_generation_prompt -%}{{- '<assistant>' -}}"
QWEN_3 = ASKING + "{%- if enable_thinking is false -%}{{- '<think>\n\n</think>\n\n' -}}{%- endif -%}{%- endif -%}"
QWEN_3_5 = (
    ASKING + "{%- if enable_thinking is false -%}{{- '<think>\n\n</think>\n\n' -}}"
    "{%- else -%}{{- '<think>\n' -}}{%- endif -%}{%- endif -%}"
)
DEEPSEEK_V3_1 = ASKING + "{{- '<think>' if thinking else '</think>' -}}{%- endif -%}"
DEEPSEEK_R1 = ASKING + "{{- '<think>\n' -}}{%- endif -%}"


@pytest.mark.parametrize(
    ("template", "options", "end", "left_open"),
    [
        (QWEN_3, {}, "<assistant>", None),
        (QWEN_3, {"enable_thinking": False}, "<assistant><think>\n\n</think>\n\n", None),
        (QWEN_3_5, {}, "<assistant><think>\n\n</think>\n\n", None),
        (QWEN_3_5, {"enable_thinking": True}, "<assistant><think>\n\n</think>\n\n", None),
        (DEEPSEEK_V3_1, {}, "<assistant></think>", None),
        (DEEPSEEK_V3_1, {"thinking": True}, "<assistant></think>", None),
        (DEEPSEEK_R1, {}, "<assistant><think>\n", "<think>"),
        (DEEPSEEK_R1, {"enable_thinking": False}, "<assistant><think>\n", "<think>"),
    ],
)
def test_a_question_is_answered_behind_reasoning_where_the_template_can(
    safe_bytes: SafeTokenizer, template: str, options: dict[str, object], end: str, left_open: str | None
) -> None:
    chat = Chat(safe_bytes, template, options)
    assert chat.question() == (("<system>", "<user>", end), True)
    assert chat.left_open() == left_open


def test_only_options_that_the_template_has_a_word_of_are_minded(safe_bytes: SafeTokenizer) -> None:
    options = {"enable_thinking": False, "unheard": 1, "tokenize": True, "messages": [], "add_generation_prompt": False}
    assert Chat(safe_bytes, QWEN_3).minded(options) == {"enable_thinking": False}


def test_an_option_that_breaks_the_template_is_named(safe_bytes: SafeTokenizer) -> None:
    chat = Chat(safe_bytes, CHATML + "{{- greeting + '!' -}}", {"greeting": 7})
    with pytest.raises(ChatTemplateError, match="refuses: unsupported operand"):
        chat.question()


def test_options_reach_the_template(safe_bytes: SafeTokenizer) -> None:
    template = "{{- '<think></think>' if not thinking else '' -}}{{- messages[-1].content -}}"
    chat = Chat(safe_bytes, template, {"thinking": False})
    assert chat.scaffold(("user",), answering=True)[0] == "<think></think>"
    assert Chat(safe_bytes, template, {"thinking": True}).scaffold(("user",), answering=True)[0] == ""


def test_role_markers_are_found_where_they_are_text(families: Families) -> None:
    chat = Chat(SafeTokenizer(families["metaspace"]()))
    assert chat.role_markers(chat.question()[0]) == {"[INST] <<SYS>>", "<</SYS>>", "[/INST]"}
