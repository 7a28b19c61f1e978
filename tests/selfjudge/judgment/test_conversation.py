"""Conversations as contexts of judgments."""

import pytest

from selfjudge import ConversationError, JudgmentTemplate, Message, load_templates, message_text
from selfjudge.judgment.conversation import Conversation, context_text

DIALOGUE, INSTRUCTION = (load_templates()[name] for name in ("hh-helpful", "ultrafeedback"))


def shown(template: JudgmentTemplate, conversation: Conversation) -> str:
    return context_text(template, conversation, lambda text: text)


def test_table_12_labels_every_turn() -> None:
    conversation = [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "Two?"},
    ]
    assert shown(DIALOGUE, conversation) == "User: One?\n\nAssistant: 1\n\nUser: Two?"
    assert shown(INSTRUCTION, conversation) == "User: One?\n\nAssistant: 1\n\nUser: Two?"


@pytest.mark.parametrize("conversation", ["One {x}?", [{"role": "user", "content": "One {x}?"}]])
def test_a_lone_instruction_stands_bare(conversation: Conversation) -> None:
    assert shown(INSTRUCTION, conversation) == "One {x}?"
    assert shown(DIALOGUE, conversation) == "User: One {x}?"


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_system_message_is_shown_where_it_is_not_the_templates_own(role: str) -> None:
    question = {"role": "user", "content": "One?"}
    assert shown(INSTRUCTION, [{"role": role, "content": "Be rude."}, question]) == "System: Be rude.\n\nUser: One?"
    for content in (INSTRUCTION.system, "", None):
        assert shown(INSTRUCTION, [{"role": role, "content": content}, question]) == "One?"


def test_tool_calls_and_results_are_shown() -> None:
    calls = [
        {"type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
        {"type": "function", "function": {"name": "add", "arguments": {"a": 2}}},
    ]
    conversation: list[Message] = [
        {"role": "user", "content": "Add."},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "content": [{"type": "text", "text": "3"}]},
    ]
    assert shown(INSTRUCTION, conversation) == (
        'User: Add.\n\nAssistant: Tool call: add {"a": 1}\nTool call: add {"a": 2}\n\nTool: 3'
    )


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"content": []}, ""),
        ({"content": ["a", {"text": "b"}, {"type": "output_text", "text": "c"}]}, "abc"),
        ({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Yes."}]}, "Yes."),
        ({"content": [{"type": "refusal", "refusal": "No."}]}, "No."),
        ({"content": [{"type": "tool_reference", "name": "add"}]}, "add"),
        ({"content": None, "refusal": "No.", "audio": None, "annotations": []}, "No."),
        ({"content": "Yes.", "refusal": None, "name": "ada", "tool_calls": None}, "Yes."),
        ({"content": None, "function_call": {"name": "add", "arguments": "{}"}}, "Tool call: add {}"),
        ({"tool_calls": [{"type": "custom", "custom": {"name": "run", "input": "ls"}}]}, "Tool call: run ls"),
    ],
)
def test_messages_are_taken_as_openai_has_them(message: Message, expected: str) -> None:
    conversation = [{"role": "user", "content": "x"}, {"role": "assistant", **message}]
    assert shown(INSTRUCTION, conversation) == f"User: x\n\nAssistant: {expected}"


def test_every_text_is_quoted() -> None:
    conversation = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    assert context_text(INSTRUCTION, conversation, str.upper) == "System: A\n\nUser: B"


@pytest.mark.parametrize(
    ("conversation", "complaint"),
    [
        ([], "the conversation has no turn"),
        ([{"role": "system", "content": ""}], "the conversation has no turn"),
        (
            [{"role": "user", "content": "x"}, {"role": "judge", "content": "x"}],
            r"messages\[1\].role is 'judge'; known",
        ),
        ([{"content": "x"}], r"messages\[0\].role is None; known are system, developer, user,"),
        ([{"role": "user", "content": 5}], r"messages\[0\]: content must be a string or a list of text parts, not int"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "content part of type 'image_url' cannot be judged"),
        ([{"role": "user", "content": [{"type": "image_url", "text": "x"}]}], "of type 'image_url' cannot be judged"),
        ([{"role": "user", "content": [{"type": "text"}]}], "content part of type 'text' cannot be judged"),
        ([{"role": "user", "content": [{"type": ["text"]}]}], r"content part of type \['text'\] cannot be judged"),
        ([{"role": "user", "content": [7]}], "content part of type 'int' cannot be judged"),
        ([{"role": "assistant", "tool_calls": [7]}], r"messages\[0\]: each of tool_calls must have a 'function'"),
        ([{"role": "assistant", "tool_calls": [{"function": {"name": 7}}]}], "each of tool_calls must have"),
    ],
)
def test_what_cannot_be_judged_is_an_error(conversation: Conversation, complaint: str) -> None:
    with pytest.raises(ConversationError, match=complaint):
        shown(INSTRUCTION, conversation)


def test_message_text_is_what_a_caller_sees() -> None:
    assert message_text({"role": "assistant", "content": "Hi", "reasoning": "hm"}) == "Hi"
    assert message_text({"role": "assistant"}) == ""
