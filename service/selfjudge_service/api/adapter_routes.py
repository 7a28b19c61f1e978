"""/v1/adapters: which versions of which policies are served, and changing that.

Behind admin keys of their own (SELFJUDGE_ADMIN_KEYS). Without a store of adapters these routes answer 404.
"""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StrictStr, TypeAdapter, ValidationError

from selfjudge.adapters.manifest import Manifest, PolicyName
from selfjudge_service.adapters.gate import GateResults
from selfjudge_service.adapters.record import Record
from selfjudge_service.adapters.registry import Adapters, Key
from selfjudge_service.adapters.start import Adapting
from selfjudge_service.api.route import Route
from selfjudge_service.middleware.auth import Keys, require_admin
from selfjudge_service.protocol.errors import InvalidFieldError, NotFoundError
from selfjudge_service.state import state_of


def _admin(request: Request) -> None:
    require_admin(Keys(state_of(request).settings.admin_keys), request.headers)


_State = Literal["active", "canary", "previous", "gate", "retiring", "refused", "stored"]

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
    adapting = _adapting(request)
    await asyncio.to_thread(adapting.replicas.leave, adapting.adapters.answering())
    return JSONResponse(await asyncio.to_thread(report, adapting))


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
    """Deletes a version that is not in use."""
    await _adapting(request).changes.delete(policy, version)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _adapting(request: Request) -> Adapting:
    adapting = state_of(request).adapting
    if adapting is None:
        raise NotFoundError("this server has no store of adapters: start it with --adapters-dir")
    return adapting


def _served(policy: Policy, record: Record) -> Response:
    return JSONResponse({"policy": policy, **record.model_dump()})


def report(adapting: Adapting) -> dict[str, Any]:
    """All policies, their versions oldest first, and all replicas. Reads every manifest and result of the gate."""
    store, adapters, replicas = adapting.store, adapting.adapters, adapting.replicas
    policies, results = sorted({*store.policies(), *adapters.policies()}), GateResults(store.root)
    return {
        "object": "list",
        "replica": replicas.name,
        "replicas": [note.model_dump(mode="json") for note in replicas.notes()],
        "data": [_policy_report(policy, store.versions(policy), adapters, results) for policy in policies],
    }


def _policy_report(policy: str, versions: list[Manifest], adapters: Adapters, results: GateResults) -> dict[str, Any]:
    record = adapters.record(policy)
    return {
        "policy": policy,
        "active": record.active,
        "previous": record.previous,
        "canaries": record.canaries,
        "versions": [_version_report(manifest, adapters, results) for manifest in versions],
    }


def _version_report(manifest: Manifest, adapters: Adapters, results: GateResults) -> dict[str, Any]:
    key, result = Key(manifest.policy, manifest.version), results.read(manifest.policy, manifest.version)
    return {
        "version": manifest.version,
        "model": str(key),
        "state": _state(key, adapters),
        "in_flight": adapters.in_flight(key),
        "refused": adapters.refused.get(key),
        "gate": result.model_dump(mode="json") if result else None,
        **manifest.model_dump(mode="json", include={"created", "parent", "rank", "template", "metrics"}),
    }


def _state(key: Key, adapters: Adapters) -> _State:
    record = adapters.record(key.policy)
    if not adapters.is_loaded(key):
        return "refused" if key in adapters.refused else "stored"
    if key.version == record.active:
        return "active"
    if key.version in record.canaries:
        return "canary"
    if key.version == record.previous:
        return "previous"
    return "gate" if key in adapters.at_gate else "retiring"
