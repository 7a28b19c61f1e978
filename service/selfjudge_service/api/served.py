"""Which weights a request gets: resolved once, leased until its answer has been sent, named in a header of the answer.

A policy's name becomes the name of one version here; everything behind sees that one only.
"""

from typing import TYPE_CHECKING

from fastapi import Request
from starlette.datastructures import Headers

from selfjudge_service.api.route import headers_of, until_end
from selfjudge_service.observability.request_context import note
from selfjudge_service.state import SelfJudgeState, state_of

if TYPE_CHECKING:
    from selfjudge_service.adapters.registry import Key

VERSION_HEADER = "X-Selfjudge-Version"
STICKY_HEADER = "X-Selfjudge-Sticky"


def resolve_model(request: Request, model: str | None, user: str | None = None) -> str | None:
    """The model to go on with: of a policy, the version that this request gets; anything else as it is.

    Requests with the same sticky header, or else the same `user`, get the same one of active version and canaries.

    Raises:
        UnknownModelError: if the request names a version that isn't loaded.
    """
    state = state_of(request)
    key = find_version(state, model, request.headers, user)
    if key and state.adapting:
        until_end(request).enter_context(state.adapting.adapters.lease(key))
        model = str(key)
    if version := str(key) if key else served_name(state, model):
        headers_of(request)[VERSION_HEADER] = version
        note(model=version)
    return model


def find_version(state: SelfJudgeState, model: str | None, headers: Headers, user: str | None) -> "Key | None":
    """The version that a request for `model` gets, to be leased at once; None where that is no policy.

    Raises:
        UnknownModelError: if the request names a version that isn't loaded.
    """
    if state.adapting is None or not model:
        return None
    return state.adapting.adapters.find(model, headers.get(STICKY_HEADER) or user)


def served_name(state: SelfJudgeState, model: str | None) -> str | None:
    """The name of the weights that answer for `model`, for header and log; None where no such model is served."""
    if not model or state.models.is_base_model(model):
        return model or state.models.base_model_paths[0].name
    return model if model in state.models.lora_requests else None
