"""POST /judge, also /v1/judge: which of two responses is better, for one comparison or a batch."""

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.entrypoints.serve.utils.api_utils import load_aware_call, validate_json_request, with_cancellation

from selfjudge import Comparison as Texts
from selfjudge import Conversation, ConversationError, ReadingError
from selfjudge_service.api.route import Route, admitted, resolve_model
from selfjudge_service.best_of_n.judging.judge import Judge, Judged, Panel
from selfjudge_service.best_of_n.judging.label_reads import Rationale
from selfjudge_service.best_of_n.response import cut_json, judging_usage, verdict_json
from selfjudge_service.observability.metrics import CLIENT_CLOSED_REQUEST
from selfjudge_service.protocol.errors import ApiError, InvalidFieldError, NotFiniteError
from selfjudge_service.protocol.requests import ChatTurn, Comparison, JudgeRequest
from selfjudge_service.state import state_of
from selfjudge_service.tasks import run_together

router = APIRouter(route_class=Route)

_READ = "the judge's log-probabilities"
_DEPENDENCIES = [Depends(validate_json_request)]
_REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": ErrorResponse} for status in (400, 429)}


@router.post("/judge", dependencies=_DEPENDENCIES, responses=_REFUSALS)
@router.post("/v1/judge", dependencies=_DEPENDENCIES, responses=_REFUSALS)
async def judge(body: JudgeRequest, request: Request) -> Response:
    """Compares pairs of responses in both orders, under each principle, with a rationale where asked."""
    body.model = resolve_model(request, body.model)
    state = state_of(request)
    comparisons = body.comparisons or [body.single()]
    if len(comparisons) > state.settings.max_comparisons:
        raise InvalidFieldError("comparisons", f"must hold at most {state.settings.max_comparisons}", len(comparisons))
    panel = state.judge.panel(body, state.adapter(body.model), rationale=body.rationale)
    # A rationale is generated, as a candidate is.
    weight = len(comparisons) * len(panel.encoders) * (2 if body.rationale else 1)
    if not await admitted(request, weight):
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    answer: Response | None = await _judge(body, request, comparisons, panel)
    return answer or Response(status_code=CLIENT_CLOSED_REQUEST)


@with_cancellation  # type: ignore[untyped-decorator]  # vLLM leaves it untyped
@load_aware_call  # type: ignore[untyped-decorator]
async def _judge(body: JudgeRequest, request: Request, comparisons: list[Comparison], panel: Panel) -> Response:
    state = state_of(request)
    results = await run_together(
        _one(state.judge, panel, comparison, rationale=body.rationale) for comparison in comparisons
    )
    head = {
        "id": f"judge-{uuid4().hex}",
        "model": body.model or state.base_model,
        "template": panel.template,
        "judge": body.judge,
    }
    read = [result for result in results if not isinstance(result, NotFiniteError)]
    if not read:
        raise NotFiniteError(_READ)
    tokens = sum(rationale.tokens for _, rationales in read for rationale in rationales)
    usage = {**judging_usage([judged for judged, _ in read]), "rationale_tokens": tokens}
    data = [result.body() if isinstance(result, NotFiniteError) else _result(*result) for result in results]
    if body.comparisons is None:
        return JSONResponse({**head, "object": "judgment", **data[0], "usage": usage})
    return JSONResponse({**head, "object": "list", "data": data, "usage": usage})


async def _one(
    judge: Judge, panel: Panel, comparison: Comparison, *, rationale: bool
) -> tuple[Judged, list[Rationale]] | NotFiniteError:
    texts = Texts(conversation(comparison.prompt, comparison.messages), comparison.response_a, comparison.response_b)
    try:
        judged = await judge.compare(panel, texts)
    except ConversationError as error:
        raise ApiError(f"messages can't be judged: {error}", "messages") from error
    except ReadingError:
        # Only this comparison of a batch fails.
        return NotFiniteError(_READ)
    if not rationale:
        return judged, []
    return judged, await run_together(judge.rationale(panel, texts, one) for one in judged.verdict.principles)


def conversation(prompt: str | None, messages: list[ChatTurn] | None) -> Conversation:
    """The conversation of a request that has either a prompt or messages."""
    return prompt if prompt is not None else [turn.model_dump(exclude_none=True) for turn in messages or []]


def _result(judged: Judged, rationales: list[Rationale]) -> dict[str, Any]:
    result = {**verdict_json(judged.verdict), "truncated": cut_json(judged) or None}
    if rationales:
        for principle, rationale in zip(result["principles"], rationales, strict=True):
            principle["rationale"] = rationale.text
    return result
