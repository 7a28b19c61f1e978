"""POST /v1/chat/completions: vLLM's own handler for one candidate, a selection among more.

Replaces vLLM's route of the same path; a request that asks for no selection is answered by vLLM's endpoint unchanged.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from vllm.entrypoints.openai.chat_completion.api_router import create_chat_completion
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionResponse
from vllm.entrypoints.serve import create_error_response
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.entrypoints.serve.utils.api_utils import (
    load_aware_call,
    should_include_usage,
    validate_json_request,
    with_cancellation,
)
from vllm.entrypoints.serve.utils.sse_keep_alive import with_sse_keep_alive
from vllm.exceptions import GenerationError, VLLMError

from selfjudge_service.api.route import Route, admitted, counting_of, resolve_model
from selfjudge_service.best_of_n.judging.fitness import header_of
from selfjudge_service.best_of_n.log_entry import Facts, entry
from selfjudge_service.best_of_n.plan import Plan, candidates_needed, plan, wanted_best_of_n
from selfjudge_service.best_of_n.response import Json, Selection, Usage, chat_completion, progress_chunk, stream_chunks
from selfjudge_service.best_of_n.sampler import REFUSALS, SampleError, unmet
from selfjudge_service.best_of_n.select import select
from selfjudge_service.best_of_n.selecting.run import Progress
from selfjudge_service.observability.metrics import CLIENT_CLOSED_REQUEST, Counting, outcome_of
from selfjudge_service.observability.request_context import note, note_text, request_id
from selfjudge_service.protocol.error_handlers import dumps, error_response, not_finite
from selfjudge_service.protocol.errors import ApiError, InternalError, InvalidFieldError
from selfjudge_service.protocol.misplaced_fields import SELECTING_ROUTE, refuse_misspelt_header
from selfjudge_service.protocol.requests import ChatRequest
from selfjudge_service.state import SelfJudgeState, state_of

_LOG = logging.getLogger(__name__)
ROUTE = SELECTING_ROUTE

router = APIRouter(route_class=Route)


@router.post(
    ROUTE,
    dependencies=[Depends(validate_json_request)],
    response_model=ChatCompletionResponse,
    responses={status: {"model": ErrorResponse} for status in (400, 401, 404, 408, 413, 429, 500)},
)
async def chat_completions(
    body: ChatRequest,
    request: Request,
    x_best_of_n: Annotated[str | None, Header(description="`best_of_n` for clients that can't send the field.")] = None,
) -> Response:
    """A chat completion; with `best_of_n` above 1, the best of that many samples."""
    arrived = time.monotonic()
    state = state_of(request)
    refuse_misspelt_header(request.headers)
    if not body.messages:
        raise InvalidFieldError("messages", "must hold at least one message", body.messages)
    # Negative priorities are the judge's: a client must not get ahead of it.
    body.priority = max(body.priority, 0)
    best_of_n = wanted_best_of_n(body, x_best_of_n, state)
    note(best_of_n=best_of_n)
    if state.settings.log_prompts:
        note_text(messages=body.messages)
    body.model = resolve_model(request, body.model, body.user)
    milliseconds = body.self_rejection.deadline_ms if body.self_rejection else None
    deadline_seconds = math.inf if milliseconds is None else milliseconds / 1000
    weight = max(candidates_needed(body, best_of_n, state), body.n or 1)
    if not await admitted(request, weight, tournament=best_of_n > 1, deadline_seconds=deadline_seconds):
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    if best_of_n == 1:
        try:
            plain: Response | None = await create_chat_completion(body, request)
        except GenerationError as error:
            if refusal := unmet(body, error):
                raise SampleError(refusal) from error
            raise
        except REFUSALS as error:
            raise not_finite(error) or SampleError(error_response(error, await request.json())) from error
        return plain or Response(status_code=CLIENT_CLOSED_REQUEST)
    await state.sampler.check(body)
    planned = plan(body, best_of_n, state.adapter(body.model), state, arrived)
    if body.stream:
        stream: Response = await _streamed(planned, request)
        return stream
    answer: Response | None = await _whole(planned, request)
    return answer or Response(status_code=CLIENT_CLOSED_REQUEST)


@load_aware_call  # type: ignore[untyped-decorator]  # vLLM leaves it untyped
async def _streamed(planned: Plan, request: Request) -> Response:
    state, forced = state_of(request), request.app.state.args.enable_force_include_usage
    usage = Usage._make(should_include_usage(planned.request.stream_options, forced))
    events = with_sse_keep_alive(_events(planned, state, counting_of(request), usage), state.settings.heartbeat_seconds)
    return StreamingResponse(events, headers=header_of(planned.warnings), media_type="text/event-stream")


@with_cancellation  # type: ignore[untyped-decorator]  # vLLM leaves it untyped
@load_aware_call  # type: ignore[untyped-decorator]
async def _whole(planned: Plan, request: Request) -> Response:
    selection = await _select_and_log(planned, state_of(request))
    return JSONResponse(chat_completion(selection), headers=header_of(selection.warnings))


async def _events(planned: Plan, state: SelfJudgeState, counting: Counting, usage: Usage) -> AsyncGenerator[str, None]:
    yield f": sampling {planned.best_of_n} candidates\n\n"
    updates: asyncio.Queue[dict[str, int] | None] = asyncio.Queue()
    selecting = asyncio.create_task(_select_and_log(planned, state, updates.put_nowait))
    selecting.add_done_callback(lambda _: updates.put_nowait(None))
    try:
        while (update := await updates.get()) is not None:
            if "progress" in planned.options.include:
                yield _event(progress_chunk(planned.head, {**update, "best_of_n": planned.best_of_n}))
        # All chunks are encoded before the first is sent, so that an error of encoding comes in place of the answer.
        for event in [_event(chunk) for chunk in stream_chunks(await selecting, usage)]:
            yield event
    except ApiError as error:
        counting.outcome = outcome_of(error.status)
        yield _event(error.body())
    except VLLMError as error:
        told = create_error_response(error)
        counting.outcome = outcome_of(told.error.code)
        yield _event(told.model_dump())
    except Exception:  # noqa: BLE001  logged and told
        # The status has been sent: without an error event the caller would take the chunks for the whole answer.
        _LOG.exception("a tournament failed")
        failure = InternalError(request_id() or "none")
        counting.outcome = outcome_of(failure.status)
        yield _event(failure.body())
    finally:
        selecting.cancel()
    yield "data: [DONE]\n\n"


async def _select_and_log(planned: Plan, state: SelfJudgeState, progress: Progress | None = None) -> Selection:
    selection = await select(planned, state, progress)
    if state.bracket_log:
        facts = Facts(
            id=planned.head.id,
            time=datetime.now(UTC),
            route=ROUTE,
            model=planned.head.model,
            method=planned.method,
            judge=planned.options.judge,
            template=planned.panel.template,
            principles=planned.panel.principles,
            seed=planned.seed,
            conversation=planned.conversation,
        )
        logged = partial(entry, facts, selection.result, selection.sampled, planned.best_of_n)
        state.bracket_log.offer(logged, store=planned.request.store)
    return selection


def _event(data: Json) -> str:
    return f"data: {dumps(data)}\n\n"
