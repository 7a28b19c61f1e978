"""Probes: /live and /ready. /health stays vLLM's.

/live says only that this process answers, so that no probe restarts a server that is replacing its engine. /ready also
names background work that fails, which does not change its status (background.py).
"""

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import State
from vllm.v1.engine.exceptions import EngineDeadError

if TYPE_CHECKING:
    from selfjudge_service.background import Background
    from selfjudge_service.engine.status import Status

router = APIRouter()


@router.get("/live", response_class=Response)
async def live() -> Response:
    """200, as long as the process answers at all."""
    return Response()


@router.get("/ready")
async def ready(request: Request) -> Response:
    """200 while requests are taken; 503 while the engine is down or the server drains."""
    state = request.app.state
    background: Background = state.background
    takes_requests = await _takes_requests(state)
    return JSONResponse(
        {"ready": takes_requests, "failing": background.failing}, status_code=200 if takes_requests else 503
    )


async def _takes_requests(state: State) -> bool:
    status: Status | None = getattr(state, "status", None)
    if status is not None:
        return status.ready
    # A stock vLLM server has no supervision: its engine is up or lost.
    try:
        await state.engine_client.check_health()
    except EngineDeadError:
        return False
    return hasattr(state, "selfjudge")
