"""What a request constrains its answers to, and why an answer breaks it.

The engine lets through no token that breaks a constraint, but a limit of tokens or a stop string may cut an answer in
half. Texts by a grammar or a structural tag are checked for the limit alone.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import regex  # type: ignore[import-untyped]
from vllm.entrypoints.generate.base.protocol import ToolCall
from vllm.entrypoints.openai.chat_completion.protocol import (
    ChatCompletionNamedToolChoiceParam,
    ChatCompletionResponseChoice,
    ChatMessage,
)
from vllm.sampling_params import StructuredOutputsParams

from selfjudge_service.best_of_n.json_schema import SECONDS, Schema
from selfjudge_service.best_of_n.prefill import sampled_content
from selfjudge_service.protocol.requests import ChatRequest

_OBJECT: Final = Schema({"type": "object"})


class Constraint(NamedTuple):
    """A constraint on answers."""

    field: str
    """The field of the request that it comes from."""
    fault: Callable[[ChatMessage], str | None]

    def why_broken(self, choice: ChatCompletionResponseChoice) -> str | None:
        """Why an answer breaks it; None where it doesn't, as far as can be told in `json_schema.SECONDS`."""
        if choice.finish_reason == "length":
            return "it is cut off: its finish_reason is 'length'"
        return self.fault(choice.message)


def constraint_of(request: ChatRequest) -> Constraint | None:
    """The constraint of a request. To be called before vLLM samples, which rewrites some constraints in place."""
    forced = _forced_tools(request)
    if forced is not None:
        return Constraint("tool_choice", _calls_fault(forced))
    params = request.extract_structured_outputs()
    if params is None:
        return None
    own = request.response_format is None or request.response_format.type == "text"
    fault = _text_fault(params)

    def content_fault(message: ChatMessage) -> str | None:
        # A tool was called instead, which the caller left to the model.
        return None if message.tool_calls else fault(sampled_content(request, message.content or ""))

    return Constraint("structured_outputs" if own else "response_format", content_fault)


def _forced_tools(request: ChatRequest) -> dict[str, Schema] | None:
    """The tools of which one must be called, each with the schema of its arguments; None where none must."""
    choice = request.tool_choice
    named = choice.function.name if isinstance(choice, ChatCompletionNamedToolChoiceParam) else None
    if named is None and choice != "required":
        return None
    functions = [tool.function for tool in request.tools or ()]
    return {
        function.name: Schema(function.parameters) if function.parameters else _OBJECT
        for function in functions
        if named in (None, function.name)
    }


def _text_fault(params: StructuredOutputsParams) -> Callable[[str], str | None]:
    if params.json is not None:
        schema = Schema(_parsed(params.json) if isinstance(params.json, str) else params.json)
        return lambda text: _json_fault("the content", text, schema)
    if params.json_object:
        return lambda text: _json_fault("the content", text, _OBJECT)
    if (pattern := params.regex) is not None:
        return lambda text: None if _matches(pattern, text) else "the content does not match the regex"
    if (choices := params.choice) is not None:
        return lambda text: None if text in choices else "the content is none of the choices"
    return lambda _: None


def _calls_fault(tools: Mapping[str, Schema]) -> Callable[[ChatMessage], str | None]:
    def fault(message: ChatMessage) -> str | None:
        if not message.tool_calls:
            return "it calls no tool"
        return next(filter(None, (_call_fault(call, tools) for call in message.tool_calls)), None)

    return fault


def _call_fault(call: ToolCall, tools: Mapping[str, Schema]) -> str | None:
    name = call.function.name
    if name not in tools:
        return f"it calls {name!r}, which is not the tool asked for"
    return _json_fault(f"the call of {name!r}", call.function.arguments, tools[name])


def _json_fault(what: str, text: str, schema: Schema) -> str | None:
    try:
        value = json.loads(text, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return f"{what} is not JSON"
    found = schema.misfit(value)
    return found and f"{what} {found}"


def _parsed(schema: str) -> object:
    """A schema given as text; one that can't be parsed allows anything, and vLLM refuses it."""
    try:
        return json.loads(schema)
    except (ValueError, RecursionError):
        return True


def _no_json(constant: str) -> None:
    raise ValueError(f"JSON has no {constant}")


def _matches(pattern: str, text: str) -> bool:
    """Whether a regex matches a text; True where that can't be told, or not in time."""
    try:
        return bool(regex.fullmatch(pattern, text, regex.DOTALL, timeout=SECONDS))
    except (regex.error, TimeoutError, RecursionError):
        return True
