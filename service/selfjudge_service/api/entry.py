"""How a request enters: after validation, when its weight is known, and before any work in the engine.

    if not await admitted(request, weight):
        return Response(status_code=499)  # the client has hung up while it waited

It leaves by itself when its answer has been sent, whole or streamed, or its client has hung up.
"""

import asyncio
import hashlib
import math
from collections.abc import Coroutine
from contextlib import ExitStack
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import Receive

from selfjudge_service.admission.admission import Admission
from selfjudge_service.api.route import until_end
from selfjudge_service.middleware.auth import key_of
from selfjudge_service.state import state_of


def caller_of(headers: Headers) -> str:
    """A name for the API key that a request bears, by which the key can't be told.

    On a server without keys callers may send what they like as one; those that send none are one caller.
    """
    # Of the key alone, as it is checked: the scheme before it may be written in many ways.
    key = key_of(headers)
    return hashlib.sha256(key.encode()).hexdigest()[:16] if key else ""


async def admitted(
    request: Request, weight: int, *, tournament: bool = False, deadline_seconds: float = math.inf
) -> bool:
    """Waits until a request may run; False if its client has hung up meanwhile. See `Admission.enter`.

    Raises:
        OverloadedError: if it may neither run nor wait, or has waited for queue_seconds.
        DeadlineError: if its own time is over before.
    """
    entering = enter_until(
        until_end(request),
        state_of(request).admission,
        weight,
        tournament=tournament,
        caller=caller_of(request.headers),
        size=len(await request.body()),
        deadline_seconds=deadline_seconds,
    )
    return await unless_hung_up(request.receive, entering)


async def enter_until(end: ExitStack, admission: Admission, weight: int, **how: Any) -> None:  # noqa: ANN401  what `enter` takes
    """Enters, and leaves when `end` is closed."""
    end.callback(admission.leave, await admission.enter(weight, **how))


async def unless_hung_up(receive: Receive, work: Coroutine[Any, Any, None]) -> bool:
    """Does some work, or cancels it as soon as the client hangs up; returns whether it was done.

    The request's body must have been read. Nobody watches where the work needs no waiting.
    """
    working = asyncio.create_task(work)
    tasks = [working]
    try:
        await asyncio.sleep(0)
        if not working.done():
            tasks.append(asyncio.create_task(_hung_up(receive)))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return False
        working.result()
        return True
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
