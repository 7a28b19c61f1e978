"""/v1/adapters: which versions of which policies are served, and changing that.

Behind admin keys of their own (SELFJUDGE_ADMIN_KEYS). Without a store of adapters these routes answer 404.
"""

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StrictStr, TypeAdapter, ValidationError

from selfjudge.adapters.manifest import PolicyName
from selfjudge_service.api.route import Route
from selfjudge_service.middleware.auth import Keys, require_admin
from selfjudge_service.protocol.errors import InvalidFieldError, NotFoundError
from selfjudge_service.state import state_of

if TYPE_CHECKING:
    from selfjudge_service.adapters.record import Record
    from selfjudge_service.adapters.start import Adapting


def _admin(request: Request) -> None:
    require_admin(Keys(state_of(request).settings.admin_keys), request.headers)


router = APIRouter(route_class=Route, prefix="/v1/adapters", dependencies=[Depends(_admin)])


def _policy(policy: str) -> str:
    try:
        return _POLICY.validate_python(policy)
    except ValidationError as error:
        raise InvalidFieldError(
            "policy", "must be 1 to 64 lower-case letters, digits and, inside, '.', '_', '-'", policy
        ) from error


_POLICY = TypeAdapter[str](PolicyName)
Policy = Annotated[str, Depends(_policy)]


class Activation(BaseModel):
    """Which version to make active."""

    model_config = ConfigDict(extra="forbid")

    version: StrictStr


class Canary(Activation):
    """A version and its share of the policy's requests."""

    weight: Annotated[float, Field(ge=0, le=1, strict=True)] | None = Field(
        description="Share of the policy's requests; 0 keeps it callable by its own name only, null takes it away."
    )


@router.get("")
async def list_adapters(request: Request) -> Response:
    """Policies, their versions, what this replica does with them, and what the others on the store serve."""
    from selfjudge_service.adapters.report import report  # noqa: PLC0415  only servers with a store need it

    adapting = _adapting(request)
    await asyncio.to_thread(adapting.replicas.leave, adapting.adapters.answering())
    return JSONResponse(await asyncio.to_thread(report, adapting.store, adapting.adapters, adapting.replicas))


@router.post("/{policy}/activate")
async def activate(policy: Policy, body: Activation, request: Request) -> Response:
    """Validates a version, loads it, and makes the policy's name stand for it."""
    return _served(policy, await _adapting(request).changes.activate(policy, body.version))


@router.post("/{policy}/rollback")
async def rollback(policy: Policy, request: Request) -> Response:
    """Makes the policy's name stand for the version before."""
    return _served(policy, await _adapting(request).changes.rollback(policy))


@router.post("/{policy}/canary")
async def set_canary(policy: Policy, body: Canary, request: Request) -> Response:
    """Gives a version a share of the policy's requests, or takes it away."""
    return _served(policy, await _adapting(request).changes.set_canary(policy, body.version, body.weight))


@router.delete("/{policy}/{version}")
async def delete(policy: Policy, version: str, request: Request) -> Response:
    """Deletes a version that nobody uses."""
    await _adapting(request).changes.delete(policy, version)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _adapting(request: Request) -> "Adapting":
    adapting = state_of(request).adapting
    if adapting is None:
        raise NotFoundError("this server has no store of adapters: start it with --adapters-dir")
    return adapting


def _served(policy: Policy, record: "Record") -> Response:
    return JSONResponse({"policy": policy, **record.model_dump()})
