"""Selection by score, from a request's options to its answer, over fakes."""

import asyncio
import time
from typing import Any

import pytest
from selfjudge_service.best_of_n.judging.label_reads import JUDGE_PRIORITY
from selfjudge_service.best_of_n.plan import Plan, plan
from selfjudge_service.best_of_n.select import select
from selfjudge_service.protocol.errors import ApiError, NotFiniteError
from selfjudge_service.protocol.requests import ChatRequest
from vllm.lora.request import LoRARequest

from selfjudge import load_in_place_templates
from tests.service.conftest import Counter
from tests.service.fakes import ADAPTER, QUESTION, QualityReader, ScriptedChat, World, completion, decode, make_world

ASKED = load_in_place_templates()["in-place-score"].question
IMAGE = [{"type": "image_url", "image_url": {"url": "x"}}]
SCORE = {"self_rejection": {"method": "score"}}


def planned(world: World, best_of_n: int = 4, lora: LoRARequest | None = None, **fields: object) -> Plan:
    request = ChatRequest.model_validate({"messages": QUESTION, **SCORE, **fields})
    return plan(request, best_of_n, lora, world.state, time.monotonic())


async def answer(world: World, **fields: object) -> dict[str, Any]:
    async with world.client() as client:
        told = await client.post("/v1/chat/completions", json={"messages": QUESTION, "best_of_n": 4, **SCORE, **fields})
    body: dict[str, Any] = told.json()
    return body


async def test_the_highest_score_wins_by_one_read_each() -> None:
    world = make_world(ScriptedChat([f"answer {number}" for number in (3, 9, 1, 4)]))
    body = await answer(world, n=2, self_rejection={"method": "score", "seed": 1, "include": ["candidates", "bracket"]})
    assert [choice["message"]["content"] for choice in body["choices"]] == ["answer 9", "answer 4"]
    report = body["self_rejection"]
    assert report["ranking"] == [1, 3, 0, 2]
    assert (report["method"], report["template"], report["principles"]) == ("score", "in-place-score", [])
    assert [one["score"] for one in report["candidates"]] == pytest.approx([0.574, 0.711, 0.525, 0.599], abs=1e-3)
    assert report["usage"]["judge_reads"] == len(world.reader.prompts) == 4
    assert report["label_mass"] == pytest.approx(0.8)
    assert not {"bracket", "position_consistency"} & report.keys()
    assert "matches" not in report["usage"]


async def test_what_is_read_are_the_sampled_tokens_and_the_question_behind_them() -> None:
    ended, cut = completion("answer 3"), completion("answer 9", finish_reason="length")
    world = make_world(ScriptedChat([ended, cut]))
    await select(planned(world, 2, cache_salt="mine"), world.state)
    for text in ("answer 3", "answer 9"):
        [read] = [one for one in map(decode, (p.token_ids for p in world.reader.prompts)) if text in one]
        assert read == f"<|user|>\nSay a number.\n<|assistant|>\n{text}</s>\n<|user|>\n{ASKED}\n<|assistant|>\n"
    assert world.reader.ways == {("mine", JUDGE_PRIORITY)}


async def test_a_token_that_the_request_stops_at_is_no_part_of_the_answer() -> None:
    stopped = completion("answer 3")
    stopped.choices[0].stop_reason = 7
    world = make_world(ScriptedChat([stopped, "answer 4"]))
    selection = await select(planned(world, 2), world.state)
    tokens = selection.sampled[0].tokens
    assert tokens is not None
    assert decode(tokens.response) == "answer 3"


async def test_a_continued_answer_is_read_whole() -> None:
    messages = [*QUESTION, {"role": "assistant", "content": "The number is"}]
    world = make_world(ScriptedChat([" 2", " 1"]))
    ready = planned(world, 2, messages=messages, add_generation_prompt=False, continue_final_message=True)
    await select(ready, world.state)
    assert "<|assistant|>\nThe number is 2</s>\n<|user|>" in decode(world.reader.prompts[0].token_ids)


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_answer_has_token_ids_only_where_they_are_asked_for(wanted: bool) -> None:
    body = await answer(make_world(), return_token_ids=wanted)
    assert (body["prompt_token_ids"] is not None) == wanted
    assert (body["choices"][0]["token_ids"] is not None) == wanted


async def test_equal_tokens_are_read_once(counted: Counter) -> None:
    world = make_world(ScriptedChat(["answer 1", "answer 2"]))
    body = await answer(world)
    assert len(world.reader.prompts) == body["self_rejection"]["usage"]["judge_reads"] == 2
    assert len(body["self_rejection"]["ranking"]) == 4
    assert counted("selfjudge_duplicates_total", kind="repeated") == 2
    assert counted("selfjudge_score_count") == 2


@pytest.mark.parametrize(("judge", "adapter"), [("policy", ADAPTER), ("reference", None)])
async def test_the_policy_or_the_base_reads(judge: str, adapter: LoRARequest | None) -> None:
    world = make_world()
    options = {"method": "score", "judge": judge}
    await select(planned(world, 2, ADAPTER, model=ADAPTER.lora_name, self_rejection=options), world.state)
    assert set(world.reader.adapters) == {adapter}


async def test_an_answer_that_breaks_its_form_comes_behind_those_that_keep_it() -> None:
    world = make_world(ScriptedChat(['{"x": 1}', '{"x": 9', '{"x": 2}']))
    ready = planned(world, 3, response_format={"type": "json_object"})
    assert (await select(ready, world.state)).result.ranking == [2, 0, 1]


async def test_at_a_deadline_the_best_of_those_that_were_scored_is_returned() -> None:
    async def hang_on_the_last(call: int) -> None:
        if call == 3:
            await asyncio.Event().wait()

    world = make_world(ScriptedChat(before=hang_on_the_last))
    options = {"method": "score", "deadline_ms": 500}
    selection = await select(planned(world, self_rejection=options), world.state)
    assert selection.result.deadline_reached
    assert selection.result.ranking == [2, 1, 0]


async def test_a_score_that_cannot_be_read_leaves_its_candidate_behind() -> None:
    world = make_world(reader=QualityReader(poison="answer 4"))
    selection = await select(planned(world), world.state)
    assert selection.result.ranking == [2, 1, 0, 3]
    assert selection.warnings[0].startswith("1 of 4 scores were unreadable")
    nothing_readable = make_world(reader=QualityReader(poison="answer"))
    with pytest.raises(NotFiniteError):
        await select(planned(nothing_readable), nothing_readable.state)


async def test_progress_counts_scores() -> None:
    world, steps = make_world(), list[dict[str, int]]()
    await select(planned(world), world.state, steps.append)
    assert steps[-1] == {"candidates": 4, "scored": 4}


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ({}, "score"),
        ({"template": "hh-helpful"}, "tournament"),
        ({"principles": ["honesty"]}, "tournament"),
        ({"method": "tournament"}, "tournament"),
        ({"template": "in-place-score"}, "score"),
    ],
)
def test_template_and_principles_name_the_method_where_it_is_not_named(options: dict[str, Any], method: str) -> None:
    assert planned(make_world(method="score"), self_rejection=options).method == method


@pytest.mark.parametrize(
    ("fields", "param", "accepted"),
    [
        ({"self_rejection": {"method": "tournament", "template": "in-place-score"}}, "template", "must be one of hh-"),
        (
            {"self_rejection": {"method": "score", "template": "hh-helpful"}},
            "template",
            "must be one of in-place-score ",
        ),
        ({"self_rejection": {"method": "score", "template": "in-place-pair"}}, "template", "must be one of in-place-"),
        ({"self_rejection": {"method": "score", "principles": ["honesty"]}}, "principles", "must be absent"),
        ({"self_rejection": {"method": "dice"}}, "method", ""),
    ],
)
async def test_options_that_the_method_has_no_use_for_are_refused(
    fields: dict[str, Any], param: str, accepted: str
) -> None:
    error = (await answer(make_world(), **fields))["error"]
    assert (error["code"], error["param"]) == (400, f"self_rejection.{param}")
    assert accepted in error["message"]


@pytest.mark.parametrize(
    ("chat", "fields", "param"),
    [
        (ScriptedChat(parser_cls=object), {"include_reasoning": False}, "include_reasoning"),
        (ScriptedChat(), {"chat_template": "{{ messages }}"}, "chat_template"),
        (ScriptedChat(prompt_tokens=4090), {}, "messages"),
        (ScriptedChat(), {"messages": [{"role": "user", "content": IMAGE}]}, "messages"),
    ],
)
async def test_what_cannot_be_read_in_place_is_refused_before_tokens_are_spent(
    chat: ScriptedChat, fields: dict[str, Any], param: str
) -> None:
    world = make_world(chat)
    request = ChatRequest.model_validate({"messages": QUESTION, **SCORE, **fields})
    await world.state.sampler.check(request)
    with pytest.raises(ApiError) as caught:
        plan(request, 4, None, world.state, time.monotonic())
    assert caught.value.param == param
    assert chat.requests == []
