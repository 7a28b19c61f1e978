"""Which weights a request gets: resolved once, leased until its answer has been sent, named in a header of the answer.

A policy's name becomes the name of one version here; everything behind sees that one only.
"""

from fastapi import Request

from service.route import headers_of, until_end
from service.state import state_of
from service.telemetry.request import note

VERSION_HEADER = "X-Selfjudge-Version"
STICKY_HEADER = "X-Selfjudge-Sticky"


def resolve_model(request: Request, model: str | None, user: str | None = None) -> str | None:
    """The model to go on with: of a policy, the version that this request gets; anything else as it is.

    Requests with the same sticky header, or else the same `user`, get the same one of active version and canaries.

    Raises:
        UnknownModelError: if the request names a version that isn't loaded.
    """
    state = state_of(request)
    if state.adapting and model:
        adapters = state.adapting.adapters
        key = adapters.find(model, request.headers.get(STICKY_HEADER) or user)
        if key:
            until_end(request).enter_context(adapters.lease(key))
            model = str(key)
    version = model or state.models.base_model_paths[0].name
    headers_of(request)[VERSION_HEADER] = version
    note(model=version)
    return model
