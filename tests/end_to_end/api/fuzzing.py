"""What the fuzz test sends: values of any kind, bodies with a few parts replaced, options at and beyond their ends."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

_QUESTION: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Sort these letters: QDBA"},
]

VALID: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "model": "selfjudge-tiny",
        "messages": _QUESTION,
        "best_of_n": 3,
        "n": 1,
        "max_tokens": 4,
        "temperature": 1.0,
        "top_p": 0.9,
        "seed": 1,
        "stop": ["x"],
        "stream": False,
        "stream_options": None,
        "logprobs": True,
        "top_logprobs": 2,
        "logit_bias": {"3": 1.0},
        "response_format": {"type": "text"},
        "tools": None,
        "tool_choice": "none",
        "user": "me",
        "store": False,
        "priority": 0,
        "self_rejection": {
            "seed": 1,
            "include": ["bracket", "candidates"],
            "principles": ["honesty"],
            "deadline_ms": 60000,
        },
    },
    "/judge": {
        "prompt": "Sort these letters: QDBA",
        "response_a": "ABDQ",
        "response_b": "QDBA",
        "principles": ["honesty"],
        "judge": "policy",
        "rationale": False,
    },
    "/v1/rank": {
        "messages": _QUESTION,
        "candidates": ["ABDQ", "QDBA", "ABQD"],
        "seed": 1,
        "top_n": 2,
        "template": "ultrafeedback",
    },
}
"""A body with most of its options, for each route."""

TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["", "\x00", "\ud800", "A" * 5000, "<|im_end|>", "[INST]", "-----", "{{7*7}}", "%s", "\u202e", "policy@1"]
    ),
)
_INTEGERS = st.one_of(st.integers(-2, 12), st.sampled_from([2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 10**400]))
_NUMBERS = st.one_of(
    st.floats(-2, 2), st.sampled_from([0, -1, 1, 1e308, 1e-308, float("nan"), float("inf"), float("-inf")]), _INTEGERS
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)

_SCHEMAS = st.sampled_from(
    [
        {},
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
        {"type": "string", "pattern": "["},
        {"type": "string", "pattern": "(?=a)b"},
        {"type": "no such type"},
        {"$ref": "#/$defs/none"},
        {"$ref": "#"},
        {"enum": []},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 3},
        {"type": "integer", "minimum": 9, "maximum": 1},
        {"type": "number", "multipleOf": 0},
        {"not": {}},
    ]
)
_GRAMMARS = st.sampled_from(['root ::= "a"', "root ::=", "a ::= b", 'root ::= root "a" | "a"', "start: 'a'", ""])
_CONSTRAINTS = st.one_of(
    st.fixed_dictionaries({"json": st.one_of(_SCHEMAS, TEXTS)}),
    st.fixed_dictionaries({"regex": st.sampled_from(["[a-c]{2}", "(", "", "a{100000}", "(a*)*b", "\\p{Lu}", "(?=a)"])}),
    st.fixed_dictionaries({"choice": st.lists(TEXTS, max_size=3)}),
    st.fixed_dictionaries({"grammar": _GRAMMARS}),
    st.fixed_dictionaries({"structural_tag": st.one_of(TEXTS, st.just('{"structures": [], "triggers": []}'))}),
    st.dictionaries(st.sampled_from(["json_object", "regex", "choice", "no_such_key"]), ANYTHING, max_size=3),
)
_TOOL = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {"name": st.one_of(st.just("f"), TEXTS)}, optional={"parameters": _SCHEMAS, "description": TEXTS}
        ),
    }
)
_CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{"}}
_MESSAGE = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "developer"]), "content": TEXTS}),
    st.fixed_dictionaries({"role": st.just("tool"), "content": TEXTS, "tool_call_id": TEXTS}),
    st.sampled_from(
        [
            {"role": "assistant", "content": None},
            {"role": "assistant", "content": None, "tool_calls": [_CALL]},
            {"role": "assistant", "content": "a", "tool_calls": []},
            {"role": "user", "content": []},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": ""}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
            {"role": "user", "content": [{"type": "refusal", "refusal": "no"}]},
            {"role": "nobody", "content": "a"},
            {"role": "user"},
        ]
    ),
)
_IDS = st.lists(st.one_of(st.integers(-1, 2000), _INTEGERS), max_size=4)
_FLAG = st.one_of(st.booleans(), st.none())

OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "messages": st.lists(_MESSAGE, max_size=4),
    "best_of_n": _INTEGERS,
    "n": _INTEGERS,
    "max_tokens": _INTEGERS,
    "min_tokens": _INTEGERS,
    "max_completion_tokens": _INTEGERS,
    "temperature": _NUMBERS,
    "top_p": _NUMBERS,
    "top_k": _INTEGERS,
    "min_p": _NUMBERS,
    "frequency_penalty": _NUMBERS,
    "presence_penalty": _NUMBERS,
    "repetition_penalty": _NUMBERS,
    "length_penalty": _NUMBERS,
    "seed": _INTEGERS,
    "stop": st.one_of(TEXTS, st.lists(TEXTS, max_size=5)),
    "stop_token_ids": _IDS,
    "allowed_token_ids": _IDS,
    "logprob_token_ids": _IDS,
    "bad_words": st.lists(TEXTS, max_size=3),
    "logit_bias": st.dictionaries(st.one_of(TEXTS, st.integers(-1, 2000).map(str)), _NUMBERS, max_size=3),
    "logprobs": _FLAG,
    "top_logprobs": _INTEGERS,
    "prompt_logprobs": _INTEGERS,
    "stream": st.booleans(),
    "stream_options": st.one_of(st.none(), st.dictionaries(st.sampled_from(["include_usage", "x"]), _FLAG)),
    "stream_interval": _INTEGERS,
    "response_format": st.one_of(
        st.sampled_from([{"type": kind} for kind in ("text", "json_object", "json_schema", "structural_tag", "x")]),
        st.fixed_dictionaries(
            {
                "type": st.just("json_schema"),
                "json_schema": st.fixed_dictionaries({"name": TEXTS, "schema": _SCHEMAS}, optional={"strict": _FLAG}),
            }
        ),
    ),
    "structured_outputs": _CONSTRAINTS,
    "tools": st.lists(_TOOL, max_size=2),
    "tool_choice": st.sampled_from(
        ["none", "auto", "required", "x", {"type": "function", "function": {"name": "f"}}, {"type": "function"}]
    ),
    "parallel_tool_calls": _FLAG,
    "reasoning_effort": st.sampled_from(["none", "high", "x"]),
    "include_reasoning": st.booleans(),
    "thinking_token_budget": _INTEGERS,
    "use_beam_search": st.booleans(),
    "ignore_eos": st.booleans(),
    "echo": st.booleans(),
    "add_generation_prompt": st.booleans(),
    "continue_final_message": st.booleans(),
    "add_special_tokens": st.booleans(),
    "skip_special_tokens": st.booleans(),
    "include_stop_str_in_output": st.booleans(),
    "truncate_prompt_tokens": _INTEGERS,
    "truncation_side": st.sampled_from(["left", "right", "up"]),
    "documents": st.lists(st.dictionaries(TEXTS, TEXTS, max_size=2), max_size=2),
    "chat_template": st.sampled_from(["", "{{ x.y.z }}", "{% for", "{{ messages }}", "{{ raise_exception('no') }}"]),
    "chat_template_kwargs": st.dictionaries(TEXTS, ANYTHING, max_size=2),
    "mm_processor_kwargs": st.dictionaries(TEXTS, ANYTHING, max_size=2),
    "media_io_kwargs": st.dictionaries(TEXTS, st.dictionaries(TEXTS, ANYTHING, max_size=1), max_size=1),
    "kv_transfer_params": st.dictionaries(TEXTS, ANYTHING, max_size=2),
    "ec_transfer_params": st.dictionaries(TEXTS, ANYTHING, max_size=2),
    "vllm_xargs": st.dictionaries(TEXTS, st.one_of(TEXTS, _NUMBERS, st.lists(_NUMBERS, max_size=2)), max_size=2),
    "repetition_detection": st.dictionaries(
        st.sampled_from(["max_pattern_size", "min_pattern_size", "min_count"]), _INTEGERS
    ),
    "priority": _INTEGERS,
    "request_id": TEXTS,
    "session_id": TEXTS,
    "cache_salt": TEXTS,
    "user": TEXTS,
    "return_token_ids": _FLAG,
    "return_tokens_as_token_ids": _FLAG,
    "return_token_offsets": _FLAG,
    "return_prompt_text": _FLAG,
    "store": _FLAG,
    "self_rejection": st.fixed_dictionaries(
        {},
        optional={
            "method": st.sampled_from(["tournament", "score", "x"]),
            "seed": _INTEGERS,
            "deadline_ms": _INTEGERS,
            "include": st.lists(st.sampled_from(["bracket", "candidates", "progress"]), max_size=4),
            "principles": st.lists(st.one_of(st.sampled_from(["honesty", "helpfulness"]), TEXTS), max_size=3),
            "template": st.one_of(st.sampled_from(["ultrafeedback", "in-place-score", "principles"]), TEXTS),
            "judge": st.sampled_from(["policy", "reference", "x"]),
        },
    ),
}
"""Options of chat requests, each with values of its own type, sound ones and others."""

_MOST = {"max_tokens": 4, "max_completion_tokens": 4, "min_tokens": 4, "best_of_n": 4, "n": 4}


def _places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401  any JSON
    """Paths to every part of a value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*before, key)
        yield from _places(part, (*before, key))


def _like(value: object) -> st.SearchStrategy[Any]:
    """Values of the same kind, of which more are accepted."""
    match value:
        case bool():
            return st.booleans()
        case int() | float():
            return _NUMBERS
        case str():
            return TEXTS
    return ANYTHING


@st.composite
def nearly_valid(draw: st.DrawFn, valid: dict[str, Any]) -> dict[str, Any]:
    """A body with a few parts replaced, taken out or added."""
    body: dict[str, Any] = json.loads(json.dumps(valid))
    for _ in range(draw(st.integers(1, 3))):
        *owners, last = draw(st.sampled_from(list(_places(body)) or [("messages",)]))
        owner: Any = body
        for key in owners:
            owner = owner[key]
        match draw(st.sampled_from(["replace", "vary", "remove", "add"])):
            case "replace":
                owner[last] = draw(ANYTHING)
            case "vary":
                owner[last] = draw(_like(owner[last]))
            case "remove":
                owner.pop(last, None) if isinstance(owner, dict) else owner.pop(last)
            case _ if isinstance(owner, dict):
                owner[draw(TEXTS)] = draw(ANYTHING)
            case _:
                owner.append(draw(ANYTHING))
    return body


@st.composite
def unusual(draw: st.DrawFn) -> dict[str, Any]:
    """A sound chat request with a few more options."""
    names = draw(st.lists(st.sampled_from(list(OPTIONS)), min_size=1, max_size=3, unique=True))
    return {"messages": _QUESTION, "best_of_n": 2, **{name: draw(OPTIONS[name]) for name in names}}


def limited(body: object) -> object:
    """Sound requests for much work ask for little: this is about what is answered, not about load."""
    if not isinstance(body, dict):
        return body
    for name, most in _MOST.items():
        if isinstance(asked := body.get(name), int) and most < asked <= 2**31:
            body[name] = most
    if "messages" in body and not {"max_tokens", "max_completion_tokens"} & body.keys():
        body["max_tokens"] = 4
    return body
