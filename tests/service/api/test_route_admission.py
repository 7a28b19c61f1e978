"""Admission of our routes over HTTP: what they weigh, what is refused, and that everybody leaves."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from selfjudge_service.admission.queue import Limits

from tests.service.clients import hang_up
from tests.service.conftest import Counter
from tests.service.fakes import QUESTION, QualityReader, ScriptedChat, World, make_world, settle

CHAT = "/v1/chat/completions"
PAIR = {"prompt": "p", "response_a": "a 1", "response_b": "b 2"}
TOURNAMENT: dict[str, Any] = {"messages": QUESTION, "best_of_n": 4}
PLAIN: dict[str, Any] = {"messages": QUESTION}


class Halted:
    """A world whose samples and reads wait until they are let go on."""

    def __init__(self, limits: Limits) -> None:
        self.go_on = asyncio.Event()
        chat = ScriptedChat(before=lambda _: self._wait())
        self.world = make_world(chat, QualityReader(before=self._wait), limits=limits)
        self.admission = self.world.state.admission

    async def _wait(self) -> None:
        await self.go_on.wait()

    @asynccontextmanager
    async def posting(
        self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> AsyncIterator[asyncio.Task[httpx.Response]]:
        """A request under way, answered at the end of the block."""
        async with self.world.client() as client:
            answer = asyncio.create_task(client.post(path, json=body, headers=headers))
            await settle()
            yield answer
            self.go_on.set()
            await answer


async def post(world: World, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:  # noqa: ANN401  any JSON
    async with world.client() as client:
        return await client.post(path, json=body, headers=headers)


@pytest.mark.parametrize(
    ("path", "body", "weight"),
    [
        (CHAT, PLAIN, 1),
        (CHAT, PLAIN | {"n": 3}, 3),
        (CHAT, TOURNAMENT, 4),
        (CHAT, TOURNAMENT | {"n": 2}, 4),
        (CHAT, TOURNAMENT | {"stream": True}, 4),
        ("/judge", PAIR, 1),
        ("/v1/judge", {"comparisons": [PAIR, PAIR, PAIR]}, 3),
        ("/judge", PAIR | {"principles": ["honest", "depth"], "template": "ultrafeedback-principle"}, 2),
        ("/v1/rank", {"prompt": "p", "candidates": ["a 1", "b 2", "c 3"]}, 3),
    ],
)
async def test_a_request_weighs_what_it_starts_until_its_answer_has_been_sent(
    path: str, body: dict[str, Any], weight: int
) -> None:
    if "principles" in body:
        known = make_world().state.judge.templates["ultrafeedback-principle"].principles or {}
        body = body | {"principles": list(known)[:2]}
    halted = Halted(Limits(candidates=100))
    running = halted.admission._queue
    async with halted.posting(path, body) as answer:
        assert running.running.candidates == weight
        assert running.tournaments == (path == "/v1/rank" or "best_of_n" in body)
    assert (await answer).status_code == 200
    await settle()
    assert halted.admission.requests == 0


async def test_past_the_limits_the_answer_is_429_in_openais_shape(counted: Counter) -> None:
    halted = Halted(Limits(candidates=4, waiting=0))
    async with halted.posting(CHAT, TOURNAMENT):
        for path, body in ((CHAT, PLAIN), (CHAT, TOURNAMENT | {"stream": True}), ("/judge", PAIR)):
            refused = await post(halted.world, path, body)
            assert refused.status_code == 429
            assert refused.headers["Retry-After"] == "1"
            error = refused.json()["error"]
            assert (error["type"], error["param"], error["code"]) == ("RateLimitError", None, 429)
            assert "the server is full" in error["message"]
    assert counted("selfjudge_refusals_total", reason="queue_full") == 3
    assert counted("selfjudge_requests_total", outcome="client_error") == 3
    assert len(halted.world.chat.requests) == 4, "nothing of a refused request reaches the engine"


async def test_a_full_server_does_not_look_at_bodies() -> None:
    halted = Halted(Limits(candidates=4, waiting=0))
    async with halted.posting(CHAT, TOURNAMENT):
        assert (await post(halted.world, CHAT, {"messages": 7})).status_code == 429


async def test_bad_requests_are_refused_without_waiting() -> None:
    halted = Halted(Limits(candidates=4, waiting=10))
    async with halted.posting(CHAT, TOURNAMENT):
        assert (await post(halted.world, CHAT, TOURNAMENT | {"best_of_n": 0})).status_code == 400
        assert (await post(halted.world, "/v1/rank", {"prompt": "p", "candidates": ["x"] * 65})).status_code == 400
        assert (await post(halted.world, "/judge", PAIR | {"template": "none"})).status_code == 400
    await settle()
    assert halted.admission.requests == 0


async def test_who_waits_is_answered_in_turn() -> None:
    halted = Halted(Limits(candidates=4, waiting=10))
    async with halted.posting(CHAT, TOURNAMENT) as first, halted.posting(CHAT, TOURNAMENT) as second:
        assert (halted.admission._queue.waiting.requests, len(halted.world.chat.requests)) == (1, 4)
    assert ((await first).status_code, (await second).status_code) == (200, 200)


async def test_keys_have_limits_of_their_own() -> None:
    halted = Halted(Limits(candidates=100, key_requests=1))
    mine = {"Authorization": "Bearer mine"}
    async with halted.posting(CHAT, TOURNAMENT, mine):
        for scheme in ("Bearer", "bearer", "BEARER"):
            again = await post(halted.world, CHAT, PLAIN, headers={"Authorization": f"{scheme} mine"})
            assert again.status_code == 429
        refused = await post(halted.world, CHAT, PLAIN, headers=mine)
        assert (refused.status_code, "key_max_requests" in refused.text) == (429, True)
        assert "mine" not in refused.text
        async with halted.posting(CHAT, PLAIN, {"Authorization": "Bearer yours"}) as other:
            pass
    assert (await other).status_code == 200


async def test_time_in_the_queue_counts_for_a_requests_deadline() -> None:
    halted = Halted(Limits(candidates=4, waiting=10))
    async with halted.posting(CHAT, TOURNAMENT):
        late = await post(halted.world, CHAT, TOURNAMENT | {"self_rejection": {"deadline_ms": 20}})
        assert late.status_code == 408
        assert late.json()["error"]["param"] == "self_rejection.deadline_ms"
    await settle()
    assert halted.admission.requests == 0


@pytest.mark.parametrize("body", [PLAIN, TOURNAMENT, TOURNAMENT | {"stream": True}])
async def test_a_client_that_hangs_up_while_it_waits_leaves_the_queue(body: dict[str, Any], counted: Counter) -> None:
    halted = Halted(Limits(candidates=4, waiting=10))
    async with halted.posting(CHAT, TOURNAMENT):
        sent = await hang_up(halted.world.app(), CHAT, json.dumps(body).encode(), settle())
        assert halted.admission._queue.waiting.requests == 0
        assert len(halted.world.chat.requests) == 4
        assert [message.get("status") for message in sent][:1] == [499]
        assert counted("selfjudge_requests_total", outcome="cancelled") == 1
    await settle()
    assert halted.admission.requests == 0


@pytest.mark.parametrize("body", [PLAIN, TOURNAMENT, TOURNAMENT | {"stream": True}])
async def test_a_client_that_hangs_up_while_it_runs_leaves(body: dict[str, Any]) -> None:
    halted = Halted(Limits(candidates=4, waiting=10))
    await hang_up(halted.world.app(), CHAT, json.dumps(body).encode(), settle())
    assert halted.world.chat.requests
    halted.go_on.set()
    await settle()
    assert halted.admission.requests == 0


async def test_failed_requests_leave() -> None:
    world = make_world(ScriptedChat([RuntimeError("a bug")]), limits=Limits(candidates=4))
    assert (await post(world, CHAT, TOURNAMENT)).status_code == 500
    assert (await post(world, CHAT, PLAIN)).status_code == 500
    assert world.state.admission.requests == 0
