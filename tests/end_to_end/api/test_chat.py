"""Chat completions with best_of_n on the real engine, by the stock openai client."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionUserMessageParam

from tests.end_to_end.api.test_metrics import candidates, values
from tests.end_to_end.serving import Server

QUESTION: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Sort these letters: QDBA"}]


def best_of(
    server: Server,
    n: int,
    *,
    choices: int = 1,
    extra: dict[str, Any] | None = None,
    **options: Any,  # noqa: ANN401  whatever the client takes
) -> ChatCompletion:
    report = {"include": ["bracket", "candidates"]}
    answer: ChatCompletion = server.client.chat.completions.create(
        model=server.model,
        messages=QUESTION,
        n=choices,
        extra_body={"best_of_n": n, "self_rejection": report, **(extra or {})},
        **options,
    )
    return answer


def report_of(answer: ChatCompletion) -> dict[str, Any]:
    report: dict[str, Any] = (answer.model_extra or {})["self_rejection"]
    return report


def test_the_winner_of_a_real_tournament_is_returned(server: Server) -> None:
    answer = best_of(server, 8)
    report = report_of(answer)
    final = max(report["bracket"], key=lambda match: match["round"])
    assert report["ranking"] == [final["winner"]]
    assert answer.choices[0].message.content == report["candidates"][final["winner"]]["message"]["content"]
    assert len(report["bracket"]) == 7
    assert report["candidates_finished"] == 8


def test_usage_counts_every_sampled_token_and_what_was_rejected(server: Server) -> None:
    answer = best_of(server, 4)
    sampled = [candidate["completion_tokens"] for candidate in report_of(answer)["candidates"]]
    won = sampled[report_of(answer)["ranking"][0]]
    assert answer.usage
    assert answer.usage.completion_tokens == sum(sampled)
    assert answer.usage.completion_tokens_details
    assert answer.usage.completion_tokens_details.rejected_prediction_tokens == sum(sampled) - won
    assert report_of(answer)["usage"]["judge_prompt_tokens"] >= report_of(answer)["usage"]["judge_cached_tokens"] >= 0


def test_one_seed_gives_the_same_tournament(server: Server) -> None:
    first, second = (best_of(server, 8, seed=7) for _ in range(2))
    assert [candidate["message"] for candidate in report_of(first)["candidates"]] == [
        candidate["message"] for candidate in report_of(second)["candidates"]
    ]
    pairs = [[(match["first"], match["second"]) for match in report_of(one)["bracket"][:4]] for one in (first, second)]
    assert pairs[0] == pairs[1]
    texts = {candidate["message"]["content"] for candidate in report_of(first)["candidates"]}
    assert len(texts) > 1, "each candidate has a seed of its own"


def test_n_returns_the_top_n_in_order(server: Server) -> None:
    answer = best_of(server, 8, choices=3)
    ranking = report_of(answer)["ranking"]
    candidates = report_of(answer)["candidates"]
    assert len(set(ranking)) == 3
    assert [choice.message.content for choice in answer.choices] == [
        candidates[candidate]["message"]["content"] for candidate in ranking
    ]
    assert [choice.index for choice in answer.choices] == [0, 1, 2]


def test_without_best_of_n_the_answer_is_vllms_own(server: Server) -> None:
    answer = server.client.chat.completions.create(model=server.model, messages=QUESTION, seed=3)
    assert "self_rejection" not in (answer.model_extra or {})
    assert answer.usage
    assert answer.usage.completion_tokens > 0


async def test_the_async_client(server: Server) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as client:
        answer = await client.chat.completions.create(
            model=server.model, messages=QUESTION, extra_body={"best_of_n": 4}
        )
    assert answer.choices[0].message.content is not None
    assert report_of(answer)["best_of_n"] == 4


def test_a_stream_carries_the_winner_and_the_report(server: Server) -> None:
    stream = server.client.chat.completions.create(
        model=server.model,
        messages=QUESTION,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"best_of_n": 4, "self_rejection": {"include": ["candidates"]}},
    )
    chunks = list(stream)
    content = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    (report,) = [chunk.model_extra["self_rejection"] for chunk in chunks if chunk.model_extra]
    assert content == report["candidates"][report["ranking"][0]]["message"]["content"]
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] in ("stop", "length")
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens > 0


def test_a_stream_speaks_at_once_and_shows_progress_where_asked(server: Server) -> None:
    report = {"include": ["progress", "candidates"]}
    body = {"messages": QUESTION, "best_of_n": 8, "stream": True, "return_token_ids": True, "self_rejection": report}
    with server.http() as client, client.stream("POST", "/v1/chat/completions", json=body) as answer:
        lines = list(answer.iter_lines())
    assert lines[0].startswith(":")
    assert lines[-2:] == ["data: [DONE]", ""]
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    progress = [event["self_rejection"]["progress"] for event in events if not event["choices"]]
    assert progress[-1] == {"candidates": 8, "matches": progress[-1]["matches"], "best_of_n": 8}
    assert [step["candidates"] for step in progress] == sorted(step["candidates"] for step in progress)
    assert len({(event["id"], event["created"], event["model"]) for event in events}) == 1
    choices = [choice for event in events for choice in event["choices"]]
    (prompt,) = [event["prompt_token_ids"] for event in events if "prompt_token_ids" in event]
    (tokens,) = [choice["token_ids"] for choice in choices if "token_ids" in choice]
    winner = events[-1]["self_rejection"]["candidates"][events[-1]["self_rejection"]["ranking"][0]]
    assert (len(tokens), len(prompt) > 1) == (winner["completion_tokens"], True)


def test_the_header_asks_for_a_tournament_too(server: Server) -> None:
    answer = server.client.chat.completions.create(
        model=server.model, messages=QUESTION, extra_headers={"X-Best-Of-N": "2"}
    )
    assert report_of(answer)["best_of_n"] == 2


@pytest.mark.parametrize("field", ["temperature", "top_k"])
def test_of_equal_candidates_one_is_sampled(server: Server, field: str) -> None:
    answer = best_of(server, 4, extra={field: 1 if field == "top_k" else 0})
    report = report_of(answer)
    assert field in report["warnings"][0]
    assert (report["candidates_finished"], report["bracket"]) == (1, [])


def test_structured_outputs_are_kept_by_every_candidate(server: Server) -> None:
    schema = {
        "type": "object",
        "properties": {"x": {"enum": ["A", "B"]}},
        "required": ["x"],
        "additionalProperties": False,
    }
    answer = best_of(
        server,
        4,
        response_format={"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
        max_tokens=64,
    )
    for candidate in report_of(answer)["candidates"]:
        assert json.loads(candidate["message"]["content"])["x"] in ("A", "B")


def test_an_answer_that_is_cut_off_loses_to_one_that_keeps_its_form(server: Server) -> None:
    # What begins with A can't end within five tokens, what begins with another letter can.
    form = {"structured_outputs": {"regex": "A[A-Z]{20}|[B-Z][A-Z]{1,3}"}}
    report = report_of(best_of(server, 8, seed=1, temperature=2, max_tokens=5, extra=form))
    cut = {one["candidate"] for one in report["candidates"] if one["finish_reason"] == "length"}
    assert 0 < len(cut) < 8, "the seed gives some of each"
    assert {one["candidate"] for one in report["constraint_broken"]} == cut
    assert not cut.intersection(report["ranking"])
    for match in report["bracket"]:
        mixed = len(cut.intersection((match["first"], match["second"]))) == 1
        assert (match["reason"] == "constraint") == mixed


def test_a_named_tool_is_called_by_every_candidate(server: Server) -> None:
    parameters = {
        "type": "object",
        "properties": {"x": {"enum": ["A", "B"]}},
        "required": ["x"],
        "additionalProperties": False,
    }
    answer = best_of(
        server,
        4,
        tools=[{"type": "function", "function": {"name": "note", "strict": True, "parameters": parameters}}],
        tool_choice={"type": "function", "function": {"name": "note"}},
        max_tokens=200,
        frequency_penalty=2.0,  # the grammar of a tool call allows endless blanks between its parts
    )
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert json.loads(call.function.arguments)["x"] in ("A", "B")


def test_a_continued_message_is_judged_whole_echoed_or_not(server: Server) -> None:
    prefill = {
        "messages": [*QUESTION, {"role": "assistant", "content": "AB"}],
        "add_generation_prompt": False,
        "continue_final_message": True,
        "best_of_n": 8,
        "seed": 5,
        "self_rejection": {"seed": 5, "include": ["bracket", "candidates"]},
    }
    with server.http() as client:
        bare, echoed = (
            client.post("/v1/chat/completions", json=prefill | {"echo": echo}).raise_for_status().json()
            for echo in (False, True)
        )
    texts = [
        [candidate["message"]["content"] for candidate in one["self_rejection"]["candidates"]] for one in (bare, echoed)
    ]
    assert texts[1] == [f"AB{continuation}" for continuation in texts[0]]
    winners = [
        [(match["first"], match["second"], match["winner"]) for match in one["self_rejection"]["bracket"]]
        for one in (bare, echoed)
    ]
    assert winners[0] == winners[1]


def test_parts_that_plain_chat_takes_can_be_judged(server: Server) -> None:
    parts: list[list[dict[str, str]]] = [
        [],
        [{"type": "refusal", "refusal": "No."}],
        [{"type": "thinking", "thinking": "A"}],
    ]
    earlier = [{"role": "assistant", "content": content} for content in parts]
    body = {"messages": [*QUESTION, *earlier, *QUESTION], "max_tokens": 8}
    with server.http() as client:
        for best_of_n in (1, 2):
            client.post("/v1/chat/completions", json=body | {"best_of_n": best_of_n}).raise_for_status()


def test_log_probabilities_keep_their_length_beside_judge_reads(server: Server) -> None:
    body = {"messages": QUESTION, "best_of_n": 16, "logprobs": True, "top_logprobs": 5, "max_tokens": 12}
    with server.http() as client:
        answer = client.post("/v1/chat/completions", json=body).raise_for_status().json()
    assert {len(token["top_logprobs"]) for token in answer["choices"][0]["logprobs"]["content"]} == {5}


def test_at_any_deadline_the_best_so_far_is_returned_or_none_is_there_yet(server: Server) -> None:
    asked = {"messages": QUESTION, "best_of_n": 16, "max_tokens": 64, "ignore_eos": True, "stop": ["QZ", "ZQ"]}
    reports, missed, totals, ended = [], 0, values(server), candidates(server)
    with server.http() as client:
        for milliseconds in (1, 10, 30, 60, 150, 300, 600, 60_000):
            for stream in (False, True):
                body = {**asked, "stream": stream, "self_rejection": {"deadline_ms": milliseconds}}
                answer = client.post("/v1/chat/completions", json=body)
                told = last_event(answer.text) if stream else answer.json()
                if "error" in told:
                    assert (told["error"]["code"], told["error"]["param"]) == (408, "self_rejection.deadline_ms")
                    assert stream or (answer.status_code, answer.headers["x-should-retry"]) == (408, "false")
                    missed += 1
                else:
                    assert answer.status_code == httpx.codes.OK
                    reports.append(told["self_rejection"])
    assert missed >= 2, "a millisecond is too short"
    assert [report["deadline_reached"] for report in reports[-2:]] == [False, False]
    assert {len(report["ranking"]) for report in reports} == {1}
    assert [report["candidates_failed"] for report in reports] == [[]] * len(reports)
    grown = {name: value - totals[name] for name, value in values(server).items()}
    now = {outcome: value - ended[outcome] for outcome, value in candidates(server).items()}
    cut = sum(report["deadline_reached"] for report in reports)
    assert grown["selfjudge_deadlines_total"] == missed + cut
    assert now["ok"] >= sum(report["candidates_finished"] for report in reports)
    assert (now["failed"], sum(now.values())) == (0, 16 * (missed + len(reports)))


def last_event(text: str) -> dict[str, Any]:
    """What the last event of a stream says before the mark of its end."""
    *_, last, done = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert done == "[DONE]"
    event: dict[str, Any] = json.loads(last)
    return event


def test_a_client_that_hangs_up_frees_the_engine(server: Server) -> None:
    body = {"messages": QUESTION, "best_of_n": 64, "max_tokens": 900, "min_tokens": 900, "ignore_eos": True}
    before = candidates(server)
    with server.http() as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/v1/chat/completions", json=body, timeout=1.0)
        assert running(client) == 0, "within a second nothing of it is left"
    assert candidates(server) == before | {"cancelled": before["cancelled"] + 64}


def running(client: httpx.Client) -> float:
    time.sleep(1)
    metrics = client.get("/metrics").text
    values = [
        float(line.rsplit(" ", 1)[1])
        for line in metrics.splitlines()
        if line.startswith(("vllm:num_requests_running", "vllm:num_requests_waiting{"))
    ]
    return sum(values)


@pytest.mark.slow
def test_eight_clients_wait_for_each_other_where_two_of_them_run_at_once(server: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: best_of(server, 64, max_tokens=8), range(8)))
    assert len(answers) == 8
