"""Chat completions over HTTP, on a state made of fakes."""

import json
from functools import cache
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from selfjudge_service.best_of_n.judging.label_reads import JUDGE_PRIORITY
from vllm.entrypoints.openai.chat_completion.protocol import (
    ChatCompletionResponse,
)
from vllm.exceptions import GenerationError, VLLMValidationError
from vllm.v1.engine.exceptions import EngineDeadError

from tests.service.conftest import Counter
from tests.service.fakes import (
    ADAPTER,
    QUESTION,
    QualityReader,
    ScriptedChat,
    World,
    make_world,
)

PATH = "/v1/chat/completions"
NOT_JSON = "Out of range float values are not JSON compliant: nan"
BODY: dict[str, Any] = {"messages": QUESTION, "best_of_n": 4}


_NO_BEST_OF_N: list[Any] = [0, -1, 65, "4", 1.5, True, [], {}, 10**400]
_NO_CHOICES: list[Any] = [0, -1, 5, 1.5, "many"]
_NO_MESSAGES: list[Any] = [[], None, "hello", 7]


async def post(world: World, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:  # noqa: ANN401  any JSON
    async with world.client() as client:
        sent = {"content-type": "application/json", **(headers or {})}
        return await client.post(PATH, content=json.dumps(body), headers=sent)


def events(text: str) -> list[dict[str, Any]]:
    """The data of a stream, which must end as OpenAI's do."""
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


async def test_the_winner_is_answered() -> None:
    world = make_world(ScriptedChat([f"answer {number}" for number in (2, 8, 5, 1)]))
    answer = await post(world, BODY)
    assert answer.status_code == 200
    ChatCompletionResponse.model_validate(answer.json())
    assert answer.json()["choices"][0]["message"]["content"] == "answer 8"
    assert answer.json()["self_rejection"]["best_of_n"] == 4
    assert len(world.chat.requests) == 4


@pytest.mark.usefixtures("usual_recursion_limit")
async def test_a_body_may_be_as_deep_as_it_likes() -> None:
    """JSON is read a little deeper than what is made of it can be walked."""
    world, told = make_world(), set()
    for depth in range(700, 1000, 3):
        schema = '{"in":' * depth + "{}" + "}" * depth
        asked = '"response_format": {"type": "json_schema", "json_schema": {"name": "deep", "schema": ' + schema + "}}"
        async with world.client() as client:
            content = json.dumps(BODY)[:-1] + ", " + asked + "}"
            answer = await client.post(PATH, content=content, headers={"content-type": "application/json"})
        assert answer.status_code in (200, 400), answer.text
        told.add(answer.json().get("error", {}).get("message"))
    assert "body: a field holds a value that is nested too deep" in told


@pytest.mark.parametrize(
    "content", [[], [{"type": "refusal", "refusal": "no"}], [{"type": "thinking", "thinking": "hm"}], None]
)
async def test_what_an_assistant_said_before_may_have_any_form_that_vllm_takes(content: object) -> None:
    messages = [*QUESTION, {"role": "assistant", "content": content}, *QUESTION]
    assert (await post(make_world(), BODY | {"messages": messages})).status_code == 200


async def test_n_of_best_of_n_are_answered_in_order() -> None:
    answer = await post(make_world(), BODY | {"n": 3})
    contents = [choice["message"]["content"] for choice in answer.json()["choices"]]
    assert contents == ["answer 4", "answer 3", "answer 2"]


@pytest.mark.parametrize("body", [{}, {"best_of_n": 1}, {"best_of_n": None}])
async def test_without_selection_vllms_handler_answers_alone(body: dict[str, Any]) -> None:
    world = make_world()
    answer = await post(world, {"messages": QUESTION, "temperature": 0.3, **body})
    assert answer.json()["choices"][0]["message"]["content"] == "answer 1"
    assert "self_rejection" not in answer.json()
    assert (len(world.chat.requests), world.chat.requests[0].temperature) == (1, 0.3)
    assert world.reader.prompts == []


@pytest.mark.parametrize("best_of_n", [1, 4])
async def test_a_schema_that_nothing_can_meet_is_refused(best_of_n: int) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "#"}}}
    answer = await post(
        make_world(ScriptedChat([GenerationError()])),
        {"messages": QUESTION, "best_of_n": best_of_n, "response_format": schema},
    )
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "response_format")


async def test_a_plain_stream_is_vllms() -> None:
    answer = await post(make_world(), {"messages": QUESTION, "stream": True})
    assert [event["object"] for event in events(answer.text)] == ["chat.completion"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        *[({"best_of_n": wanted}, "best_of_n") for wanted in _NO_BEST_OF_N],
        *[({"n": choices}, "n") for choices in _NO_CHOICES],
        *[({"messages": messages}, "messages") for messages in _NO_MESSAGES],
        ({"messages": [7]}, "messages.0"),
        ({"messages": [{}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "messages"),
        ({"self_rejection": 7}, "self_rejection"),
        ({"self_rejection": {"principles": ["nope"]}}, "self_rejection.principles"),
        ({"self_rejection": {"principles": []}}, "self_rejection.principles"),
        ({"self_rejection": {"template": "nope"}}, "self_rejection.template"),
        ({"self_rejection": {"template": "\ud800"}}, "self_rejection.template"),
        ({"self_rejection": {"judge": "nobody"}}, "self_rejection.judge"),
        ({"self_rejection": {"seed": -1}}, "self_rejection.seed"),
        ({"self_rejection": {"include": ["all"]}}, "self_rejection.include.0"),
        ({"self_rejection": {"deadline_ms": 0}}, "self_rejection.deadline_ms"),
        ({"self_rejection": {"sede": 1}}, "self_rejection.sede"),
        ({"use_beam_search": True}, "use_beam_search"),
        ({"temperature": "hot"}, "temperature"),
        ({"model": 7}, "model"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_bad_input_is_refused_by_name_and_nothing_is_sampled(
    change: dict[str, Any], param: str, stream: bool
) -> None:
    world = make_world()
    answer = await post(world, {**BODY, "stream": stream, **change})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (param, 400)
    assert error["message"].startswith(param)
    assert world.chat.requests == []


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 3},
        {"temperature": -1},
        {"max_tokens": 0},
        {"max_completion_tokens": -1},
        {"stop": [""]},
        {"top_p": 0},
        {"top_k": -7},
        {"min_p": 2},
        {"presence_penalty": 9},
        {"repetition_penalty": 0},
        {"min_tokens": 9, "max_tokens": 3},
    ],
)
async def test_what_vllm_refuses_before_a_stream_is_refused_before_ours(options: dict[str, Any]) -> None:
    world = make_world()
    plain = await post(world, {"messages": QUESTION, "stream": True, **options})
    assert plain.status_code == 400
    for stream in (True, False):
        answer = await post(world, {**BODY, "stream": stream, **options})
        assert (answer.status_code, answer.json()) == (400, plain.json())
    assert world.chat.requests == []


@pytest.mark.parametrize("model", ["nope", "\ud800"])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_unknown_model_is_not_found(model: str, stream: bool) -> None:
    answer = await post(make_world(), BODY | {"model": model, "stream": stream})
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "model")


async def test_a_prompt_beyond_the_context_is_refused_before_sampling() -> None:
    refusal = VLLMValidationError("the prompt is too long", parameter="input_tokens")
    world = make_world(ScriptedChat(refusal=refusal))
    answer = await post(world, BODY)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input_tokens")
    assert world.chat.requests == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_content_type_is_refused(content_type: str) -> None:
    async with make_world().client() as client:
        answer = await client.post(PATH, content=json.dumps(BODY), headers={"content-type": content_type})
    assert answer.status_code == 400
    assert "application/json" in answer.json()["error"]["message"]


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_fields = st.sampled_from(
    [
        "messages",
        "best_of_n",
        "n",
        "self_rejection",
        "model",
        "seed",
        "temperature",
        "stream",
        "stop",
        "logprobs",
        "top_logprobs",
        "tools",
        "tool_choice",
        "response_format",
        "stream_options",
        "priority",
        "max_tokens",
        "user",
        "structured_outputs",
        "chat_template_kwargs",
        "request_id",
        "logit_bias",
        "cache_salt",
    ]
)


_world = cache(make_world)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(_fields, _junk, min_size=1, max_size=3))
async def test_no_body_makes_the_server_fail(change: dict[str, Any]) -> None:
    answer = await post(_world(), {**BODY, **change})
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


async def test_judge_reads_go_ahead_of_samples_and_bear_the_requests_cache_salt() -> None:
    world = make_world()
    await post(world, BODY | {"cache_salt": "pepper"})
    assert world.reader.ways == {("pepper", JUDGE_PRIORITY)}


@pytest.mark.parametrize("header", ["4", " 4 "])
async def test_the_header_asks_for_selection_too(header: str) -> None:
    answer = await post(make_world(), {"messages": QUESTION}, {"X-Best-Of-N": header})
    assert answer.json()["self_rejection"]["best_of_n"] == 4


@pytest.mark.parametrize("header", ["0", "-1", "65", "four", "1.5", "", "true", "9" * 5000])
async def test_a_bad_header_is_named(header: str) -> None:
    answer = await post(make_world(), {"messages": QUESTION}, {"X-Best-Of-N": header})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "X-Best-Of-N")


async def test_the_servers_default_selects_for_all() -> None:
    answer = await post(make_world(default_best_of_n=3), {"messages": QUESTION})
    assert answer.json()["self_rejection"]["best_of_n"] == 3


async def test_what_cannot_be_judged_is_answered_plainly_where_nobody_asked_for_selection() -> None:
    world = make_world(default_best_of_n=3)
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
    answer = await post(world, {"messages": image})
    assert (answer.status_code, len(world.chat.requests)) == (200, 1)
    assert "self_rejection" not in answer.json()
    refused = await post(world, {"messages": image, "best_of_n": 3})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "messages")
    assert "messages[0]: a content part of type 'image_url'" in refused.json()["error"]["message"]


async def test_temperature_zero_is_warned_of() -> None:
    answer = await post(make_world(), BODY | {"temperature": 0})
    assert "temperature is 0" in answer.json()["self_rejection"]["warnings"][0]


async def test_clients_do_not_get_ahead_of_the_judge() -> None:
    for best_of_n in (1, 4):
        world = make_world()
        await post(world, BODY | {"best_of_n": best_of_n, "priority": -100})
        assert {request.priority for request in world.chat.requests} == {0}


@pytest.mark.parametrize(("judge", "adapter"), [("policy", ADAPTER), ("reference", None)])
async def test_an_adapter_answers_and_the_chosen_weights_judge(judge: str, adapter: object) -> None:
    world = make_world()
    answer = await post(world, BODY | {"model": ADAPTER.lora_name, "self_rejection": {"judge": judge}})
    assert answer.json()["self_rejection"]["judge"] == judge
    assert set(world.reader.adapters) == {adapter}


async def test_a_dead_engine_is_a_server_error(counted: Counter) -> None:
    answer = await post(make_world(ScriptedChat([EngineDeadError()])), BODY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, 500)
    assert counted("selfjudge_requests_total", outcome="server_error") == 1


async def test_an_unfit_judge_is_warned_of_in_answer_and_header() -> None:
    fit = await post(make_world(reader=QualityReader(label_mass=0.95)), BODY)
    assert fit.json()["self_rejection"]["label_mass"] == pytest.approx(0.95)
    assert (fit.json()["self_rejection"]["warnings"], fit.headers.get("X-Selfjudge-Warning")) == ([], None)
    world = make_world(reader=QualityReader(favours_a=True, label_mass=0.3))
    answer = await post(world, BODY)
    report = answer.json()["self_rejection"]
    assert (report["label_mass"], report["position_consistency"]) == (pytest.approx(0.3), 0)
    assert [warning.split()[0] for warning in report["warnings"]] == ["label_mass", "position_consistency"]
    assert answer.headers["X-Selfjudge-Warning"] == "; ".join(report["warnings"])
    streamed = await post(world, BODY | {"stream": True, "temperature": 0})
    told = events(streamed.text)[-1]["self_rejection"]["warnings"]
    assert streamed.headers["X-Selfjudge-Warning"] == told[0], "what is known before the stream"


async def test_each_request_is_counted_once(counted: Counter) -> None:
    await post(make_world(), BODY)
    await post(make_world(), BODY | {"stream": True})
    await post(make_world(), {"messages": QUESTION})
    await post(make_world(), BODY | {"best_of_n": 0})
    assert counted("selfjudge_requests_total", route=PATH, outcome="ok") == 3
    assert counted("selfjudge_requests_total", route=PATH, outcome="client_error") == 1
    assert counted("selfjudge_requests_total") == 4


@pytest.mark.parametrize(
    ("failure", "status"), [(ValueError("stop cannot hold an empty string"), 400), (ValueError(NOT_JSON), 500)]
)
async def test_what_vllm_raises_for_one_answer_is_the_callers_mistake_unless_the_answer_is_wrong(
    failure: Exception, status: int
) -> None:
    answer = await post(make_world(ScriptedChat([failure])), BODY | {"best_of_n": 1})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)
