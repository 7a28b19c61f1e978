"""Answers that keep the constraint of their request, and those that break it."""

from typing import Any

import pytest
from selfjudge_service.best_of_n.constraints import constraint_of
from selfjudge_service.protocol.requests import ChatRequest
from vllm.entrypoints.generate.base.protocol import FunctionCall, ToolCall

from tests.service.fakes import QUESTION, completion

SCHEMA = {"type": "object", "properties": {"x": {"enum": ["A", "B"]}}, "required": ["x"]}
BY_SCHEMA = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}}
OTHER = {"type": "function", "function": {"name": "other"}}
TOOLS = [{"type": "function", "function": {"name": "note", "parameters": SCHEMA}}, OTHER]
NAMED = {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "note"}}}
REQUIRED = {"tools": TOOLS, "tool_choice": "required"}


def call(name: str, arguments: str) -> ToolCall:
    return ToolCall(function=FunctionCall(name=name, arguments=arguments))


def why(fields: dict[str, Any], text: str | None, *calls: ToolCall, finish_reason: str = "stop") -> str | None:
    constraint = constraint_of(ChatRequest.model_validate({"messages": QUESTION, **fields}))
    assert constraint
    answer = completion(text, tool_calls=calls, finish_reason=finish_reason)
    return constraint.why_broken(answer.choices[0])


@pytest.mark.parametrize(
    ("fields", "kept", "broken", "reason"),
    [
        (BY_SCHEMA, '{"x": "A"}', '{"x": "A', "the content is not JSON"),
        (BY_SCHEMA, ' {"x":"B"}\n', '{"x": "C"}', "the content breaks 'enum' at $.x"),
        (BY_SCHEMA, '{"x": "A"}', '{"x": NaN}', "the content is not JSON"),
        (BY_SCHEMA, '{"x": "A"}', "[" * 100_000, "the content is not JSON"),
        (BY_SCHEMA, '{"x": "A"}', None, "the content is not JSON"),
        ({"structured_outputs": {"json": SCHEMA}}, '{"x": "A"}', "{}", "the content breaks 'required' at $"),
        ({"structured_outputs": {"json": '{"type": "integer"}'}}, "7", '"7"', "the content breaks 'type' at $"),
        ({"structured_outputs": {"json": "no JSON"}}, "7", "no", "the content is not JSON"),
        ({"structured_outputs": {"json_object": True}}, "{}", "[]", "the content breaks 'type' at $"),
        ({"response_format": {"type": "json_object"}}, "{}", "", "the content is not JSON"),
        ({"structured_outputs": {"choice": ["yes", "no"]}}, "yes", "ye", "the content is none of the choices"),
        (
            {"structured_outputs": {"regex": "[a-z]{2}\\.[a-z]{2}"}},
            "ab.cd",
            "ab.c",
            "the content does not match the regex",
        ),
    ],
)
def test_a_text_that_breaks_its_form_is_told_why(
    fields: dict[str, Any], kept: str, broken: str | None, reason: str
) -> None:
    assert (why(fields, kept), why(fields, broken)) == (None, reason)


@pytest.mark.parametrize(
    "fields",
    [
        BY_SCHEMA,
        NAMED,
        REQUIRED,
        {"structured_outputs": {"regex": "a*"}},
        {"structured_outputs": {"grammar": 'root ::= "a"'}},
        {"response_format": {"type": "structural_tag", "format": {"type": "any_text"}}},
    ],
)
def test_an_answer_that_is_cut_off_keeps_no_form(fields: dict[str, Any]) -> None:
    told = why(fields, '{"x": "A"}', call("note", '{"x": "A"}'), finish_reason="length")
    assert told == "it is cut off: its finish_reason is 'length'"


@pytest.mark.parametrize(
    "fields", [{"structured_outputs": {"grammar": 'root ::= "a"'}}, {"structured_outputs": {"regex": "("}}]
)
def test_what_cannot_be_told_counts_as_kept(fields: dict[str, Any]) -> None:
    assert why(fields, "b") is None


def test_a_regex_takes_bounded_time() -> None:
    assert why({"structured_outputs": {"regex": "(a|a)+"}}, "a" * 40 + "b") is None


@pytest.mark.parametrize(
    ("fields", "calls", "reason"),
    [
        (NAMED, [call("note", '{"x": "A"}')], None),
        (REQUIRED, [call("other", "{}"), call("note", '{"x": "A"}')], None),
        (REQUIRED, [], "it calls no tool"),
        (NAMED, [call("other", "{}")], "it calls 'other', which is not the tool asked for"),
        (NAMED, [call("note", '{"x": ')], "the call of 'note' is not JSON"),
        (REQUIRED, [call("note", '{"x": "A"}'), call("note", "{}")], "the call of 'note' breaks 'required' at $"),
        (REQUIRED, [call("other", "7")], "the call of 'other' breaks 'type' at $"),
    ],
)
def test_a_forced_call_that_breaks_its_form_is_told_why(
    fields: dict[str, Any], calls: list[ToolCall], reason: str | None
) -> None:
    assert why(fields, None, *calls, finish_reason="tool_calls") == reason


def test_a_tool_that_is_called_freely_stands_for_the_content() -> None:
    assert why({**BY_SCHEMA, "tools": TOOLS}, None, call("other", "{}")) is None


def test_what_echo_puts_before_an_answer_is_not_sampled() -> None:
    messages = [*QUESTION, {"role": "assistant", "content": "Here: "}]
    prefill = {"messages": messages, "add_generation_prompt": False, "continue_final_message": True}
    assert why({**BY_SCHEMA, **prefill, "echo": True}, 'Here: {"x": "A"}') is None
    assert why({**BY_SCHEMA, **prefill}, '{"x": "A"}') is None


@pytest.mark.parametrize(
    "fields", [{}, {"response_format": {"type": "text"}}, {"tools": TOOLS}, {"tools": TOOLS, "tool_choice": "none"}]
)
def test_a_request_may_leave_the_form_open(fields: dict[str, Any]) -> None:
    assert constraint_of(ChatRequest.model_validate({"messages": QUESTION, **fields})) is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (BY_SCHEMA, "response_format"),
        ({"structured_outputs": {"regex": "a"}}, "structured_outputs"),
        (NAMED, "tool_choice"),
    ],
)
def test_the_callers_field_is_named(fields: dict[str, Any], field: str) -> None:
    constraint = constraint_of(ChatRequest.model_validate({"messages": QUESTION, **fields}))
    assert constraint
    assert constraint.field == field
