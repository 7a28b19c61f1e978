"""Best-of-N requests from options to winner, over fakes."""

import asyncio
import time
from typing import Any

import pytest
from selfjudge_service.best_of_n.judging.judge import Judge
from selfjudge_service.best_of_n.plan import Plan, plan, wanted_best_of_n
from selfjudge_service.best_of_n.sampler import SampleError
from selfjudge_service.best_of_n.select import select
from selfjudge_service.protocol.errors import ApiError, DeadlineError
from selfjudge_service.protocol.requests import ChatRequest
from vllm.exceptions import VLLMValidationError

from selfjudge import DIALOGUE_TEMPLATE, SafeTokenizer, Tournament
from tests.service.conftest import Counter
from tests.service.fakes import (
    ADAPTER,
    CONTEXT_TOKENS,
    QUESTION,
    ScriptedChat,
    World,
    completion,
    decode,
    make_world,
    tokenizer,
)

CONTINUED = {"add_generation_prompt": False, "continue_final_message": True}
IMAGE = [{"type": "image_url", "image_url": {"url": "x"}}]


def request(**fields: object) -> ChatRequest:
    return ChatRequest.model_validate({"messages": QUESTION, **fields})


def planned(world: World, best_of_n: int = 4, **fields: object) -> Plan:
    return plan(request(**fields), best_of_n, None, world.state, time.monotonic())


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        ({}, None, 1),
        ({"best_of_n": 8}, None, 8),
        ({}, "8", 8),
        ({}, " 8 ", 8),
        ({"best_of_n": 2}, "8", 2),
        ({"best_of_n": 64}, None, 64),
        ({"n": 4}, None, 1),
        ({"n": 4, "best_of_n": 4}, None, 4),
    ],
)
def test_the_body_goes_before_the_header(body: dict[str, Any], header: str | None, expected: int) -> None:
    assert wanted_best_of_n(request(**body), header, make_world().state) == expected


PREFILLED_IMAGE = {"messages": [*QUESTION, {"role": "assistant", "content": IMAGE}], **CONTINUED}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, 8),
        ({"best_of_n": 1}, 1),
        ({"n": 2}, 1),
        ({"n": 1}, 8),
        ({"use_beam_search": True}, 1),
        ({"messages": [{"role": "user", "content": IMAGE}]}, 1),
        ({"messages": [{"role": "robot", "content": "x"}]}, 1),
        ({"messages": [{"role": "assistant", "content": "Hm"}], **CONTINUED}, 1),
        (PREFILLED_IMAGE, 1),
        ({"temperature": 0}, 1),
        ({"kv_transfer_params": {"do_remote_decode": True}}, 1),
        ({"messages": [{"role": "user", "content": IMAGE}], "self_rejection": {}}, 8),
        ({"use_beam_search": True, "self_rejection": {}}, 8),
    ],
)
def test_the_servers_default_is_for_requests_that_say_nothing(body: dict[str, Any], expected: int) -> None:
    assert wanted_best_of_n(request(**body), None, make_world(default_best_of_n=8).state) == expected


def test_the_servers_default_is_not_for_options_that_the_judges_prompt_refuses() -> None:
    world = make_world(default_best_of_n=8)
    template = "{{- '' + (style or '') -}}" + DIALOGUE_TEMPLATE
    judge = Judge(tokenizer(), world.reader, world.state.settings, CONTEXT_TOKENS, template)
    for style, expected in (("calm", 8), (7, 1)):
        options = request(chat_template_kwargs={"style": style})
        assert wanted_best_of_n(options, None, world.state._replace(judge=judge)) == expected


@pytest.mark.parametrize(
    ("body", "header", "field"),
    [
        ({"best_of_n": 0}, None, "best_of_n"),
        ({"best_of_n": -1}, None, "best_of_n"),
        ({"best_of_n": 17}, None, "best_of_n"),
        ({}, "0", "X-Best-Of-N"),
        ({}, "17", "X-Best-Of-N"),
        ({}, "-1", "X-Best-Of-N"),
        ({}, "1.5", "X-Best-Of-N"),
        ({}, "four", "X-Best-Of-N"),
        ({}, "", "X-Best-Of-N"),
        ({}, "9" * 5000, "X-Best-Of-N"),
        ({"best_of_n": 4, "n": 5}, None, "n"),
        ({"best_of_n": 4, "n": 0}, None, "n"),
        ({"best_of_n": 4, "n": -1}, None, "n"),
        ({"n": 5}, "4", "n"),
    ],
)
def test_what_is_out_of_range_is_named_with_the_range(body: dict[str, Any], header: str | None, field: str) -> None:
    with pytest.raises(ApiError, match=f"^{field}: must be an integer from 1 to ") as caught:
        wanted_best_of_n(request(**body), header, make_world(max_best_of_n=16).state)
    assert caught.value.param == field


def test_a_plan_has_defaults_and_a_seed_to_repeat_it_by() -> None:
    world = make_world()
    one, two = planned(world), planned(world)
    assert (one.best_of_n, one.top, one.warnings) == (4, 1, [])
    assert one.seed != two.seed
    assert planned(world, seed=-1).seed != planned(world, seed=-1).seed
    assert planned(world, self_rejection={"seed": 0}).seed == 0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"self_rejection": {"template": "nope"}}, "self_rejection.template"),
        ({"self_rejection": {"principles": ["nope"]}}, "self_rejection.principles"),
        ({"use_beam_search": True}, "use_beam_search"),
        ({"messages": [{"role": "user", "content": IMAGE}]}, "messages"),
        (PREFILLED_IMAGE, "messages"),
        ({"messages": [{"role": "assistant", "content": "Hm"}], **CONTINUED}, "messages"),
    ],
)
def test_what_can_be_checked_is_checked_before_tokens_are_spent(fields: dict[str, Any], param: str) -> None:
    world = make_world()
    with pytest.raises(ApiError) as caught:
        planned(world, **fields)
    assert caught.value.param == param
    assert caught.value.message.startswith(param)
    assert world.chat.requests == []


async def test_of_equal_candidates_no_more_are_sampled_than_are_returned() -> None:
    world = make_world()
    ready = planned(world, 8, n=2, temperature=0)
    (warning,) = ready.warnings
    assert warning.startswith("temperature is 0: all candidates would be equal")
    selection = await select(ready, world.state)
    assert (len(world.chat.requests), len(selection.result.ranking)) == (2, 2)
    assert planned(world, 8, temperature=0.5).warnings == []


async def test_the_best_sample_is_selected() -> None:
    world = make_world(ScriptedChat([f"answer {number}" for number in (3, 9, 1, 4, 7)]))
    selection = await select(planned(world, 5, n=2), world.state)
    assert [selection.sampled[index].text for index in selection.result.ranking] == ["answer 9", "answer 7"]
    assert len(world.chat.requests) == 5
    assert len({one.request_id for one in world.chat.requests}) == 5


async def test_an_answer_that_breaks_its_form_loses_unjudged_to_one_that_keeps_it(counted: Counter) -> None:
    """The judge goes by the last number, and so would prefer the two that are cut."""
    cut = completion('{"x": 8', finish_reason="length")
    world = make_world(ScriptedChat([cut, '{"x": 1}', '{"x": 9', '{"x": 2}']))
    asked = {"response_format": {"type": "json_object"}, "n": 4}
    selection = await select(planned(world, 4, **asked, self_rejection={"seed": 1}), world.state)
    assert selection.result.ranking == [3, 1, 2, 0]
    assert selection.broken == {0: "it is cut off: its finish_reason is 'length'", 2: "the content is not JSON"}
    reasons = {
        frozenset((record.first, record.second)): (record.reason, record.winner) for record in selection.result.records
    }
    for one in (0, 2):
        for other in (1, 3):
            assert reasons.get(frozenset((one, other)), ("constraint", other)) == ("constraint", other)
    assert selection.warnings == []
    assert counted("selfjudge_broken_constraints_total") == 2


async def test_where_all_answers_break_their_form_the_best_is_warned_of() -> None:
    world = make_world(ScriptedChat(["1", "2"]))
    selection = await select(planned(world, 2, response_format={"type": "json_object"}), world.state)
    assert selection.result.ranking == [1]
    assert "no candidate that was finished keeps what response_format asks for" in selection.warnings[0]


@pytest.mark.parametrize("echo", [False, True])
async def test_a_continued_message_is_judged_whole_and_is_no_turn_of_the_conversation(echo: bool) -> None:
    world = make_world(ScriptedChat([" 2", " 1"]))
    messages = [*QUESTION, {"role": "assistant", "content": "The number is"}]
    selection = await select(planned(world, 2, messages=messages, echo=echo, **CONTINUED), world.state)
    answer = selection.sampled[0].response.choices[0].message.content
    assert (selection.sampled[0].text, answer) == ("The number is 2", "The number is 2" if echo else " 2")
    prompt = decode(world.reader.prompts[0].token_ids)
    assert "-----\nSay a number.\n-----" in prompt
    assert prompt.count("The number is") == 2


async def test_a_turn_of_the_user_that_is_continued_stays_in_the_conversation() -> None:
    world = make_world()
    assert planned(world, **CONTINUED).conversation == QUESTION


@pytest.mark.parametrize(
    "fields", [{"self_rejection": {"seed": 5}}, {"seed": 5}, {"seed": 7, "self_rejection": {"seed": 5}}]
)
async def test_one_seed_fixes_the_bracket_and_is_reported(fields: dict[str, Any]) -> None:
    world = make_world(ScriptedChat(["the same"]))
    first, second = [await select(planned(world, 8, **fields), world.state) for _ in "ab"]
    assert first.seed == second.seed
    assert first.result.ranking == second.result.ranking == [Tournament(8, seed=first.seed).seats[0]]
    assert first.seed == 5 or "self_rejection" not in fields


@pytest.mark.parametrize("content", ["What? " * 100_000, IMAGE])
def test_whether_a_conversation_can_be_judged_is_found_without_encoding_it(
    monkeypatch: pytest.MonkeyPatch, content: object
) -> None:
    world = make_world()
    planned(world)
    monkeypatch.delattr(SafeTokenizer, "encode_batch")
    messages = [{"role": "user", "content": content}]
    if content is IMAGE:
        with pytest.raises(ApiError, match=r"^messages can't be judged"):
            planned(world, messages=messages)
    else:
        planned(world, messages=messages)


async def test_samples_and_judgments_share_one_model() -> None:
    world = make_world()
    ready = plan(request(model=ADAPTER.lora_name), 2, ADAPTER, world.state, time.monotonic())
    await select(ready, world.state)
    assert {one.model for one in world.chat.requests} == {ADAPTER.lora_name}
    assert set(world.reader.adapters) == {ADAPTER}


async def test_a_failing_sample_does_not_fail_the_request(counted: Counter) -> None:
    world = make_world(ScriptedChat(["answer 1", VLLMValidationError("refused"), "answer 2", "answer 3"]))
    selection = await select(planned(world), world.state)
    assert list(selection.result.failures) == [1]
    assert selection.sampled[selection.result.ranking[0]].text == "answer 3"
    assert counted("selfjudge_candidates_total", outcome="ok") == 3
    assert counted("selfjudge_candidates_total", outcome="failed") == 1


async def test_where_every_sample_fails_the_reason_is_the_answer() -> None:
    world = make_world(ScriptedChat([VLLMValidationError("refused")]))
    with pytest.raises(SampleError, match="refused") as caught:
        await select(planned(world), world.state)
    assert caught.value.status == 400


async def hang(_: int) -> None:
    await asyncio.Event().wait()


async def test_a_deadline_without_a_candidate_is_an_error_that_says_so(counted: Counter) -> None:
    world = make_world(ScriptedChat(before=hang))
    with pytest.raises(DeadlineError, match="deadline_ms=20") as caught:
        await select(planned(world, self_rejection={"deadline_ms": 20}), world.state)
    assert caught.value.param == "self_rejection.deadline_ms"
    assert counted("selfjudge_candidates_total", outcome="cancelled") == 4


async def test_a_deadline_counts_from_the_requests_arrival() -> None:
    world = make_world(ScriptedChat(before=hang))
    arrived_long_ago = planned(world, self_rejection={"deadline_ms": 60_000})._replace(arrived=time.monotonic() - 60)
    with pytest.raises(DeadlineError):
        await select(arrived_long_ago, world.state)


async def test_at_a_deadline_the_best_so_far_is_returned() -> None:
    async def hang_on_the_last(call: int) -> None:
        if call == 3:
            await hang(call)

    world = make_world(ScriptedChat(before=hang_on_the_last))
    selection = await select(planned(world, self_rejection={"deadline_ms": 300, "seed": 0}), world.state)
    assert selection.result.deadline_reached
    assert len(selection.result.ranking) == 1
    assert len(selection.sampled) == 3


async def test_tokens_are_counted_by_fate_and_the_winners_margin_is_measured(counted: Counter) -> None:
    world = make_world()
    await select(planned(world), world.state)
    assert counted("selfjudge_sampled_tokens_total", fate="returned") == 4
    assert counted("selfjudge_sampled_tokens_total", fate="rejected") == 12
    assert counted("selfjudge_winner_margin_count") == 1
    assert counted("selfjudge_winner_margin_sum") == pytest.approx(0.9)
    assert counted("selfjudge_sampling_seconds_count") == 1


async def test_progress_reaches_the_caller() -> None:
    world, steps = make_world(), list[dict[str, int]]()
    await select(planned(world), world.state, steps.append)
    assert steps[-1] == {"candidates": 4, "matches": 3}
