"""How a request enters: which weights it gets, and then, once it is validated and its weight known, when it may run.

    if not await admitted(request, weight):
        return Response(status_code=499)  # the client has hung up while it waited

It leaves by itself when its answer has been sent, whole or streamed, or its client has hung up.
"""

import math

from fastapi import Request

from selfjudge_service.admission.admission import enter_unless_hung_up
from selfjudge_service.api.route import headers_of, until_end
from selfjudge_service.middleware.auth import caller_of
from selfjudge_service.observability.request_context import note
from selfjudge_service.state import VERSION_HEADER, state_of


def resolve_model(request: Request, model: str | None, user: str | None = None) -> str | None:
    """The model to go on with: of a policy, the version that this request gets; anything else as it is.

    The weights are leased until the answer has been sent, and named in a header of it.

    Raises:
        UnknownModelError: if the request names a version that isn't loaded.
    """
    state = state_of(request)
    version = state.leased_version(model, request.headers, user, until_end(request))
    if name := version or state.served_name(model):
        headers_of(request)[VERSION_HEADER] = name
        note(model=name)
    return version or model


async def admitted(
    request: Request, weight: int, *, tournament: bool = False, deadline_seconds: float = math.inf
) -> bool:
    """Waits until a request may run; False if its client has hung up meanwhile. See `Admission.enter`.

    Raises:
        OverloadedError: if it may neither run nor wait, or has waited for queue_seconds.
        DeadlineError: if its own time is over before.
    """
    return await enter_unless_hung_up(
        request.receive,
        until_end(request),
        state_of(request).admission,
        weight,
        tournament=tournament,
        caller=caller_of(request.headers),
        size=len(await request.body()),
        deadline_seconds=deadline_seconds,
    )
