"""The answer of a best-of-N request, whole and in chunks."""

from typing import Any

import pytest
from selfjudge_service.best_of_n.judging.contexts import Contexts
from selfjudge_service.best_of_n.judging.judge import Judged, Panel
from selfjudge_service.best_of_n.response import (
    Head,
    Selection,
    Usage,
    chat_completion,
    judging_usage,
    progress_chunk,
    stream_chunks,
    verdict_json,
)
from selfjudge_service.best_of_n.sampler import Sampled, SampleError
from selfjudge_service.best_of_n.selecting.run import SelectionResult
from selfjudge_service.protocol.requests import SelfRejection
from vllm.entrypoints.generate.base.protocol import FunctionCall, ToolCall
from vllm.entrypoints.openai.chat_completion.protocol import (
    ChatCompletionLogProbs,
    ChatCompletionLogProbsContent,
    ChatCompletionResponse,
)
from vllm.entrypoints.serve import create_error_response

from selfjudge import Cut, Kept, PrincipleVerdict, Reading, Record, Verdict
from tests.service.fakes import PROMPT_TOKENS, completion

VERDICT = Verdict.of([PrincipleVerdict("honesty", Reading(-0.1, -2.4), Reading(-2.4, -0.1))])
CUT = Cut(Kept(5, 9), Kept(3, 3), Kept(2, 8))
RECORD = Record(1, 1, 2, 0, "A", 0.9, 2, "judged")


def selection(
    answers: dict[int, ChatCompletionResponse],
    ranking: list[int],
    *,
    include: tuple[str, ...] = (),
    failures: dict[int, SampleError] | None = None,
    cut: Cut | None = None,
) -> Selection:
    texts = {index: answer.choices[0].message.content or "" for index, answer in answers.items()}
    judged = [Judged(VERDICT, cut, 20, 5), Judged(VERDICT, None, 22, 10)]
    result = SelectionResult(
        ranking,
        texts,
        failures or {},
        deadline_reached=False,
        records=[RECORD],
        judged=judged,
        verdicts={},
        scored=[],
        scores={},
    )
    options = SelfRejection.model_validate({"include": include})
    panel = Panel("ultrafeedback-principle", ("honesty",), (), None, Contexts())
    sampled = {index: Sampled(answer, texts[index]) for index, answer in answers.items()}
    head = Head("chatcmpl-1", 1_800_000_000, "tiny")
    broken = {2: "it is cut off"}
    top = len(ranking)
    return Selection(head, options, 4, top, 7, "tournament", panel, result, sampled, broken, ["a warning"])


THREE = {0: completion("no", tokens=3), 1: completion("perhaps so", tokens=5), 2: completion("yes it is", tokens=7)}


def test_the_answer_is_the_winners() -> None:
    answer = chat_completion(selection(THREE, [2]))
    ChatCompletionResponse.model_validate(answer)
    assert (answer["id"], answer["object"], answer["model"]) == ("chatcmpl-1", "chat.completion", "tiny")
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["yes it is"]


def test_all_sampled_tokens_are_charged_and_those_that_lost_are_said() -> None:
    usage = chat_completion(selection(THREE, [2]))["usage"]
    assert usage["prompt_tokens"] == PROMPT_TOKENS
    assert usage["completion_tokens"] == 3 + 5 + 7
    assert usage["total_tokens"] == PROMPT_TOKENS + 15
    assert usage["completion_tokens_details"] == {"rejected_prediction_tokens": 3 + 5}


def test_several_choices_come_in_order_and_are_not_rejected() -> None:
    answer = chat_completion(selection(THREE, [2, 0]))
    assert [(one["index"], one["message"]["content"]) for one in answer["choices"]] == [(0, "yes it is"), (1, "no")]
    assert answer["usage"]["completion_tokens_details"]["rejected_prediction_tokens"] == 5


def test_reasoning_tokens_are_those_of_all_candidates() -> None:
    answers = {
        0: completion("a", tokens=10, reasoning_tokens=6),
        1: completion("b", tokens=20, reasoning_tokens=15),
    }
    details = chat_completion(selection(answers, [0]))["usage"]["completion_tokens_details"]
    assert details == {"reasoning_tokens": 21, "rejected_prediction_tokens": 20}


def test_the_report_says_what_the_tournament_did() -> None:
    failure = SampleError(create_error_response("the engine refused"))
    report = chat_completion(selection(THREE, [2], failures={3: failure}, cut=CUT))["self_rejection"]
    assert report == {
        "best_of_n": 4,
        "candidates_finished": 3,
        "candidates_failed": [{"candidate": 3, "error": "the engine refused"}],
        "constraint_broken": [{"candidate": 2, "why": "it is cut off"}],
        "method": "tournament",
        "ranking": [2],
        "seed": 7,
        "judge": "policy",
        "template": "ultrafeedback-principle",
        "principles": ["honesty"],
        "deadline_reached": False,
        "label_mass": pytest.approx(VERDICT.label_mass),
        "position_consistency": 1.0,
        "warnings": ["a warning"],
        "truncated": [
            {
                "context": {"kept": 5, "total": 9},
                "first": {"kept": 3, "total": 3},
                "second": {"kept": 2, "total": 8},
            }
        ],
        "usage": {"judge_prompt_tokens": 42, "judge_cached_tokens": 15, "judge_reads": 4, "matches": 2},
    }


def test_bracket_and_candidates_come_where_asked_for() -> None:
    report = chat_completion(selection(THREE, [2], include=("bracket", "candidates")))["self_rejection"]
    assert report["bracket"] == [
        {
            "place": 1,
            "round": 1,
            "first": 2,
            "second": 0,
            "outcome": "A",
            "probability_a": 0.9,
            "winner": 2,
            "reason": "judged",
        }
    ]
    assert [(one["candidate"], one["completion_tokens"]) for one in report["candidates"]] == [(0, 3), (1, 5), (2, 7)]
    assert report["candidates"][1]["message"]["content"] == "perhaps so"


def joined(chunks: list[dict[str, Any]], index: int) -> dict[str, Any]:
    """One choice put together from its chunks, as a client does it."""
    message: dict[str, Any] = {"content": "", "tool_calls": []}
    for chunk in chunks:
        for choice in chunk["choices"]:
            if choice["index"] == index:
                delta = choice["delta"]
                message["content"] += delta.pop("content", "")
                message["tool_calls"] += delta.pop("tool_calls", [])
                message |= delta | ({"finish_reason": choice["finish_reason"]} if choice["finish_reason"] else {})
    return message


@pytest.mark.parametrize("text", ["", " ", "one", "  two  words \n\n and\ta third  ", "日本語 ok", "\n"])
def test_chunks_put_together_are_the_whole_answer(text: str) -> None:
    chosen = selection({0: completion(text), 1: completion("other")}, [0])
    chunks = list(stream_chunks(chosen, Usage()))
    assert joined(chunks, 0) == {"role": "assistant", "content": text, "tool_calls": [], "finish_reason": "stop"}
    assert {chunk["id"] for chunk in chunks} == {"chatcmpl-1"}
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert all("usage" not in chunk for chunk in chunks)


def test_content_comes_word_by_word() -> None:
    chunks = list(stream_chunks(selection(THREE, [2]), Usage()))
    deltas = [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
    assert deltas == ["", "yes ", "it ", "is", None]


def test_several_choices_stream_under_their_index_and_the_report_rides_on_the_last() -> None:
    chosen = selection(THREE, [2, 1])
    chunks = list(stream_chunks(chosen, Usage()))
    assert joined(list(chunks), 0)["content"] == "yes it is"
    assert joined(list(chunks), 1)["content"] == "perhaps so"
    assert [index for index, chunk in enumerate(chunks) if "self_rejection" in chunk] == [len(chunks) - 1]
    assert chunks[-1]["self_rejection"] == chat_completion(chosen)["self_rejection"]


def test_usage_is_a_chunk_without_choices_at_the_end() -> None:
    chosen = selection(THREE, [2])
    last = list(stream_chunks(chosen, Usage(at_end=True)))[-1]
    assert (last["choices"], last["usage"]) == ([], chat_completion(chosen)["usage"])


def test_tool_calls_and_reasoning_stream_too() -> None:
    calls = [ToolCall(function=FunctionCall(name=name, arguments="{}")) for name in ("add", "sub")]
    answer = completion(None, tool_calls=calls, reasoning="first I think", finish_reason="tool_calls")
    message = joined(list(stream_chunks(selection({0: answer}, [0]), Usage())), 0)
    assert [(call["index"], call["function"]["name"]) for call in message["tool_calls"]] == [(0, "add"), (1, "sub")]
    assert (message["reasoning"], message["finish_reason"]) == ("first I think", "tool_calls")


def test_logprobs_stay_with_the_content_they_are_of() -> None:
    answer = completion("two words")
    tokens = [ChatCompletionLogProbsContent(token="two", logprob=-0.5), ChatCompletionLogProbsContent(token=" words")]
    answer.choices[0].logprobs = ChatCompletionLogProbs(content=tokens)
    chunks = list(stream_chunks(selection({0: answer}, [0]), Usage()))
    with_logprobs = [chunk["choices"][0] for chunk in chunks if "logprobs" in chunk["choices"][0]]
    assert len(with_logprobs) == 1
    assert with_logprobs[0]["delta"] == {"content": "two words"}
    assert [one["token"] for one in with_logprobs[0]["logprobs"]["content"]] == ["two", " words"]


def test_the_ids_of_prompt_and_tokens_are_streamed_once() -> None:
    answers = {0: completion("two words"), 1: completion(None, finish_reason="tool_calls")}
    for answer, ids in zip(answers.values(), ([5, 6, 7], [8]), strict=True):
        answer.prompt_token_ids, answer.prompt_text, answer.choices[0].token_ids = [1, 2], "a prompt", ids
    chunks = list(stream_chunks(selection(answers, [0, 1]), Usage()))
    assert [chunk.get("prompt_token_ids") for chunk in chunks] == [[1, 2]] + [None] * (len(chunks) - 1)
    assert chunks[0]["prompt_text"] == "a prompt"
    for index, ids in enumerate(([5, 6, 7], [8])):
        streamed = [one for chunk in chunks for one in chunk["choices"] if one["index"] == index]
        assert [one["token_ids"] for one in streamed if "token_ids" in one] == [ids]


def test_progress_has_the_answers_head() -> None:
    chosen = selection(THREE, [2])
    first = next(stream_chunks(chosen, Usage()))
    told = progress_chunk(chosen.head, {"candidates": 1})
    assert told == {
        **{key: first[key] for key in ("id", "created", "model", "object")},
        "choices": [],
        "self_rejection": {"progress": {"candidates": 1}},
    }


def test_a_verdict_tells_both_orders_and_each_principle() -> None:
    told = verdict_json(VERDICT)
    assert (told["winner"], told["consistent"], told["win_rate"]) == ("A", True, 1.0)
    assert set(told["orders"]) == {"first_at_a", "first_at_b"}
    assert [one["principle"] for one in told["principles"]] == ["honesty"]
    assert told["principles"][0]["probability_a"] == pytest.approx(told["probability_a"])


def test_without_principles_none_are_listed() -> None:
    bare = Verdict.of([PrincipleVerdict(None, Reading(-0.1, -2.4), Reading(-2.4, -0.1))])
    assert verdict_json(bare)["principles"] == []


def test_reads_are_two_for_each_principle() -> None:
    assert judging_usage([Judged(VERDICT, None, 20, 5)] * 3)["judge_reads"] == 6
    assert judging_usage([]) == {"judge_prompt_tokens": 0, "judge_cached_tokens": 0, "judge_reads": 0}


def test_usage_is_in_every_chunk_where_that_is_asked_for() -> None:
    chosen = selection(THREE, [2])
    chunks = list(stream_chunks(chosen, Usage(at_end=True, always=True)))
    assert {str(chunk["usage"]) for chunk in chunks} == {str(chat_completion(chosen)["usage"])}
