"""Probes: /live and /ready. /health stays vLLM's.

/live says that this process answers and nothing else, so that nobody restarts a server that is replacing its engine.
"""

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from vllm.v1.engine.exceptions import EngineDeadError

if TYPE_CHECKING:
    from service.supervision.status import Status

router = APIRouter()


@router.get("/live", response_class=Response)
async def live() -> Response:
    """200, as long as the process answers at all."""
    return Response()


@router.get("/ready", response_class=Response)
async def ready(request: Request) -> Response:
    """200 while requests are taken; 503 while the engine is down or the server drains."""
    state = request.app.state
    status: Status | None = getattr(state, "status", None)
    if status is not None:
        return Response(status_code=200 if status.ready else 503)
    # A stock vLLM server has no supervision: its engine is up or lost.
    try:
        await state.engine_client.check_health()
    except EngineDeadError:
        return Response(status_code=503)
    return Response(status_code=200 if hasattr(state, "selfjudge") else 503)
