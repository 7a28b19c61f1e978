"""A full server's refusals: of whom, counted as what, and without a look at the body."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from selfjudge_service.admission.admission import Admission
from selfjudge_service.admission.queue import Limits
from selfjudge_service.middleware.asgi import GENERATING
from selfjudge_service.middleware.overload import OverloadMiddleware
from starlette.types import Message, Scope

from tests.service.conftest import Counter

OURS = "/v1/rank"


async def ask(admission: Admission, path: str, method: str = "POST", **scope: Any) -> list[Message]:  # noqa: ANN401  ASGI's values
    """What a client is sent whose body can't be read; nothing where the application is reached."""
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: object, _send: object) -> None:
        return

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    state = SimpleNamespace(selfjudge=SimpleNamespace(admission=admission))
    given = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [],
        "app": SimpleNamespace(state=state),
        **scope,
    }
    await OverloadMiddleware(app, [OURS])(given, receive, send)
    return sent


@pytest.fixture
async def full() -> Admission:
    admission = Admission(Limits(candidates=4, waiting=0))
    await admission.enter(4)
    return admission


@pytest.mark.parametrize("path", [OURS, *sorted(GENERATING)])
async def test_work_is_refused_unread(path: str, full: Admission) -> None:
    start, body = await ask(full, path)
    assert start["status"] == 429
    assert dict(start["headers"])[b"retry-after"] == b"1"
    assert json.loads(body["body"])["error"]["type"] == "RateLimitError"


async def test_so_it_is_behind_a_prefix(full: Admission) -> None:
    assert await ask(full, f"/prefix{OURS}", root_path="/prefix")


@pytest.mark.parametrize(
    ("path", "method", "kind"),
    [("/v1/models", "GET", "http"), (OURS, "GET", "http"), ("/tokenize", "POST", "http"), (OURS, "POST", "websocket")],
)
async def test_the_rest_passes(path: str, method: str, kind: str, full: Admission) -> None:
    assert await ask(full, path, method, type=kind) == []


async def test_all_pass_where_there_is_room() -> None:
    assert await ask(Admission(Limits(candidates=4)), OURS) == []


async def test_refusals_of_our_routes_are_counted_as_their_requests(full: Admission, counted: Counter) -> None:
    await ask(full, OURS)
    await ask(full, "/v1/completions")
    assert counted("selfjudge_requests_total", route=OURS, outcome="client_error") == 1
    assert counted("selfjudge_requests_total", outcome="client_error") == 1
    assert counted("selfjudge_refusals_total", reason="queue_full") == 2
