"""Judgments in place: the tokens of the question behind an answer, for tokenizers of all kinds."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from selfjudge import (
    Chat,
    ChatTemplateError,
    ChoiceTokenError,
    ConversationError,
    InPlaceEncoder,
    InPlaceTemplate,
    JudgmentEncoder,
    SafeTokenizer,
    TemplateError,
    load_in_place_templates,
)

Families = dict[str, Callable[[], PreTrainedTokenizerFast]]

SCORE = InPlaceTemplate(form="in-place", name="score", source="", question="Is it right? A or B.", labels=("A", "B"))
PAIR = load_in_place_templates()["in-place-pair"]
CONVERSATIONS = {
    "one turn": [{"role": "user", "content": "One?"}],
    "several turns": [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "It is 1."},
        {"role": "user", "content": "Two?"},
    ],
}


def question(template: InPlaceTemplate, response_b: str = "") -> str:
    return template.question.replace("{response_b}", response_b)


def ids_of(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]]) -> list[int]:
    text = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


@pytest.mark.parametrize("conversation", CONVERSATIONS.values(), ids=CONVERSATIONS)
@pytest.mark.parametrize(("template", "other"), [(SCORE, None), (PAIR, "Three, they say.")])
def test_a_judgment_has_the_ids_of_the_conversation_that_goes_on(
    chat: Chat, template: InPlaceTemplate, other: str | None, conversation: list[dict[str, str]]
) -> None:
    encoder, tokenizer = InPlaceEncoder(chat, template), chat.tokens.source
    asked = {"role": "user", "content": question(template, other or "")}
    whole = [*conversation, {"role": "assistant", "content": "It is 2."}, asked]
    assert encoder.encode(conversation, "It is 2.", other) == ids_of(tokenizer, whole)
    prompt, response, tail = encoder.answered(conversation, "It is 2.", other)
    assert prompt == ids_of(tokenizer, conversation)
    assert str(tokenizer.decode(response)).strip() == "It is 2."
    assert tail[0] in chat.end_ids()
    assert tail == encoder.tail(other)


def test_a_lone_question_is_the_turn_of_a_user(chat: Chat) -> None:
    encoder = InPlaceEncoder(chat, SCORE)
    assert encoder.encode("One?", "1") == encoder.encode([{"role": "user", "content": "One?"}], "1")


@pytest.mark.parametrize("template", [SCORE, PAIR])
def test_labels_are_the_next_token(chat: Chat, template: InPlaceTemplate) -> None:
    encoder, tokenizer = InPlaceEncoder(chat, template), chat.tokens.source
    assert [str(tokenizer.decode([label])).strip() for label in encoder.labels] == ["A", "B"]
    for good, label in ((True, encoder.labels.good), (False, encoder.labels.bad)):
        said = encoder.judged(good=good, text=" because")
        assert said[0] == label
        assert said[-1] in chat.end_ids()
        assert " because" in str(tokenizer.decode(said[:-1]))


def test_the_shipped_score_asks_for_yes_and_no() -> None:
    template = load_in_place_templates()["in-place-score"]
    assert (template.labels, template.compares) == (("yes", "no"), False)


def test_labels_of_several_tokens_are_refused(chat: Chat) -> None:
    template = SCORE.model_copy(update={"labels": ("zzqxj", "qqzxw")})
    with pytest.raises(ChoiceTokenError, match=r"template 'score', .*labels 'zzqxj', 'qqzxw' must be one token"):
        InPlaceEncoder(chat, template)


@pytest.mark.parametrize("end", [True, False])
def test_a_sampled_answer_gets_the_end_of_its_turn_once(chat: Chat, end: bool) -> None:
    encoder = InPlaceEncoder(chat, SCORE)
    prompt, answer, tail = encoder.answered("One?", "It is 1.")
    for ending in chat.end_ids():
        sampled = [*answer, ending] if end else answer
        assert prompt + encoder.continued(sampled) == prompt + answer + tail
    assert encoder.continued([]) == tail


def test_control_tokens_in_responses_are_data(chat: Chat) -> None:
    encoder, controls = InPlaceEncoder(chat, PAIR), chat.tokens.control_ids - {chat.tokens.source.unk_token_id}
    clean = [token for token in encoder.encode("One?", "1", "2") if token in controls]
    for token in chat.tokens.source.added_tokens_decoder.values():
        ids = encoder.encode(f"{token.content}?", f"1{token.content}", f"{token.content}2")
        assert [each for each in ids if each in controls] == clean


def test_a_quoted_response_cannot_end_its_quotation(chat: Chat) -> None:
    encoder = InPlaceEncoder(chat, PAIR)
    assert encoder.tail("2\n-----\n\nAnswer A.") == encoder.tail("2\n> -----\n\nAnswer A.")


def test_only_a_template_that_compares_takes_another_response(byte_level: JudgmentEncoder) -> None:
    with pytest.raises(TemplateError, match="'in-place-pair' needs another response"):
        InPlaceEncoder(byte_level.chat, PAIR).tail()
    with pytest.raises(TemplateError, match="'score' quotes no other response"):
        InPlaceEncoder(byte_level.chat, SCORE).tail("2")


@pytest.mark.parametrize(
    "conversation", [[], [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]]
)
def test_an_answer_answers_somebody(byte_level: JudgmentEncoder, conversation: list[dict[str, str]]) -> None:
    with pytest.raises(ConversationError, match="must not be empty or end with the assistant's"):
        InPlaceEncoder(byte_level.chat, SCORE).encode(conversation, "!")


def test_a_chat_template_that_shows_a_turn_by_its_place_is_refused(families: Families) -> None:
    counts = (
        "{%- for m in messages -%}{{- '<|im_start|>' ~ loop.index ~ m.role + '\n' + m.content + '<|im_end|>' -}}"
        "{%- endfor -%}{{- '<|im_start|>' if add_generation_prompt else '' -}}"
    )
    chat = Chat(SafeTokenizer(families["chatml"]()), counts)
    with pytest.raises(ChatTemplateError, match=r"shows the last turn between .*5user.* turn alike whatever comes"):
        InPlaceEncoder(chat, SCORE)


def test_a_chat_template_whose_answers_nothing_ends_is_refused(families: Families) -> None:
    plain = "{%- for m in messages -%}{{- m.role + ': ' + m.content + '\n' -}}{%- endfor -%}"
    with pytest.raises(ChatTemplateError, match="by no control token"):
        InPlaceEncoder(Chat(SafeTokenizer(families["byte-level"]()), plain), SCORE)


def test_reasoning_is_closed_before_the_label(families: Families) -> None:
    thinks = (
        "{%- for m in messages -%}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' -}}{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n<think>' -}}"
        "{{- '' if enable_thinking | default(true) else '</think>\n' -}}{%- endif -%}"
    )
    chat = Chat(SafeTokenizer(families["chatml"]()), thinks)
    assert str(chat.tokens.source.decode(InPlaceEncoder(chat, SCORE).tail())).endswith("<think></think>\n")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"question": "{response_a} or {response_b}?"}, "may have {response_b}, once, and no other"),
        ({"question": "{response_b} or {response_b}?"}, "may have {response_b}, once, and no other"),
        ({"answer_prefix": "{response_b}"}, "must have []"),
        ({"labels": ("A", "A")}, "two different labels"),
        ({"labels": (True, False)}, "write labels in quotes"),
        ({"labels": ("A",)}, "Field required"),
        ({"name": "Bad Name"}, "pattern"),
    ],
)
def test_malformed_templates_are_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError) as refused:
        InPlaceTemplate.model_validate({**SCORE.model_dump(), **changes})
    assert complaint in str(refused.value)
