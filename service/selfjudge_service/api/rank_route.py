"""POST /v1/rank: the tournament among candidates from anywhere."""

from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.entrypoints.serve.utils.api_utils import load_aware_call, validate_json_request, with_cancellation

from selfjudge import Comparison, ConversationError, Tournament
from selfjudge_service.api.judge_route import conversation
from selfjudge_service.api.route import Route, admitted, resolve_model
from selfjudge_service.best_of_n.judging.fitness import header_of, match_fitness, match_warnings
from selfjudge_service.best_of_n.judging.judge import Judged
from selfjudge_service.best_of_n.log_entry import Facts, entry
from selfjudge_service.best_of_n.response import cut_json, judging_usage, record_json
from selfjudge_service.best_of_n.seeds import bracket_seed
from selfjudge_service.best_of_n.selecting.matches import Matches
from selfjudge_service.best_of_n.selecting.run import run_selection
from selfjudge_service.observability.metrics import CLIENT_CLOSED_REQUEST
from selfjudge_service.protocol.errors import ApiError, InvalidFieldError
from selfjudge_service.protocol.requests import RankRequest
from selfjudge_service.state import state_of

ROUTE = "/v1/rank"

router = APIRouter(route_class=Route)


@router.post(
    ROUTE,
    dependencies=[Depends(validate_json_request)],
    responses={status: {"model": ErrorResponse} for status in (400, 429)},
)
async def rank(body: RankRequest, request: Request) -> Response:
    """Ranks 2 or more candidates by a knockout tournament."""
    body.model = resolve_model(request, body.model)
    count, limit = len(body.candidates), state_of(request).settings.max_best_of_n
    if count > limit:
        raise InvalidFieldError("candidates", f"must hold 2 to {limit}", count)
    if body.top_n is not None and body.top_n > count:
        raise InvalidFieldError("top_n", f"must not exceed the number of candidates, which is {count}", body.top_n)
    if not await admitted(request, count, tournament=True):
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    answer: Response | None = await _rank(body, request)
    return answer or Response(status_code=CLIENT_CLOSED_REQUEST)


@with_cancellation  # type: ignore[untyped-decorator]  # vLLM leaves it untyped
@load_aware_call  # type: ignore[untyped-decorator]
async def _rank(body: RankRequest, request: Request) -> Response:
    state, candidates = state_of(request), body.candidates
    panel = state.judge.panel(body, state.adapter(body.model))
    context = conversation(body.prompt, body.messages)
    seed = bracket_seed(body.seed)

    async def bring(candidate: int) -> str:
        return candidates[candidate]

    async def compare(first: str, second: str) -> Judged:
        return await state.judge.compare(panel, Comparison(context, first, second))

    try:
        tournament = Tournament(len(candidates), seed=seed, top=body.top_n or len(candidates))
        result = await run_selection(Matches(tournament, compare), bring)
    except ConversationError as error:
        raise ApiError(f"messages can't be judged: {error}", "messages") from error
    ranking_id, model = f"rank-{uuid4().hex}", body.model or state.base_model
    if state.bracket_log:
        facts = Facts(
            id=ranking_id,
            time=datetime.now(UTC),
            route=ROUTE,
            model=model,
            method="tournament",
            judge=body.judge,
            template=panel.template,
            principles=panel.principles,
            seed=seed,
            conversation=context,
        )
        state.bracket_log.offer(partial(entry, facts, result, {}, len(candidates)), store=body.store)
    warnings = match_warnings(result.judged, result.unreadable)
    return JSONResponse(
        {
            "id": ranking_id,
            "object": "ranking",
            "model": model,
            "template": panel.template,
            "judge": body.judge,
            "seed": seed,
            "ranking": result.ranking,
            **match_fitness(result.judged),
            "warnings": warnings,
            "bracket": [record_json(record) for record in result.records],
            "truncated": [cut_json(judged) for judged in result.judged if judged.cut],
            "usage": judging_usage(result.judged),
        },
        headers=header_of(warnings),
    )
