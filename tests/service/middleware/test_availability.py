"""Who is let in, who is told to come back, and how those end who can't be answered any more."""

import asyncio
import json

import pytest
from selfjudge_service.engine.status import Status
from selfjudge_service.middleware.availability import AvailabilityMiddleware, UnderWay
from selfjudge_service.protocol.errors import UnavailableError

from tests.service.engine.fakes import until
from tests.service.middleware.world import World

REASON = UnavailableError("the end has come: try again", 3)


async def test_what_is_let_in_is_under_way_until_it_is_answered() -> None:
    world = World()
    answers = [world.post("/slow"), world.post("/stream")]
    await until(lambda: len(world.under_way) == 2)
    finished = asyncio.create_task(world.under_way.finished())
    await asyncio.sleep(0.02)
    assert not finished.done()
    world.done.set()
    assert [(await answer).status_code for answer in answers] == [200, 200]
    await finished
    assert len(world.under_way) == 0


async def test_while_the_engine_is_down_work_is_refused_with_a_time_to_come_back() -> None:
    world = World()
    world.status.engine_is_down(6)
    answer = await world.post("/slow")
    assert (answer.status_code, answer.headers["Retry-After"], answer.headers.get("Connection")) == (503, "6", None)
    assert answer.json()["error"]["code"] == 503
    assert "engine" in answer.json()["error"]["message"]


async def test_a_server_that_drains_closes_the_connections_of_those_it_refuses() -> None:
    world = World()
    world.status.drain()
    answer = await world.post("/slow")
    assert (answer.status_code, answer.headers["Retry-After"], answer.headers["Connection"]) == (503, "1", "close")


async def test_reading_is_always_let_in() -> None:
    world = World()
    world.status.engine_is_down(6)
    assert (await world.get("/list")).text == "list"


async def test_a_503_of_anybody_elses_says_when_to_come_back() -> None:
    world = World()
    assert (await world.post("/busy")).headers["Retry-After"] == "1"


async def test_what_is_given_up_is_answered_with_the_reason() -> None:
    world = World()
    answers = [world.post("/slow"), world.post("/slow")]
    await until(lambda: len(world.under_way) == 2)
    world.under_way.give_up(REASON)
    for answer in answers:
        given = await answer
        assert (given.status_code, given.headers["Retry-After"], given.json()) == (503, "3", REASON.body())
    assert world.cancelled == 2


async def test_a_stream_that_is_given_up_ends_with_an_error_event() -> None:
    world = World()
    stream = world.post("/stream")
    await until(lambda: len(world.under_way) == 1)
    await asyncio.sleep(0.02)
    world.under_way.give_up(REASON)
    one, error, done = (await stream).text.strip().split("\n\n")
    assert (one, json.loads(error.removeprefix("data: ")), done) == ("data: one", REASON.body(), "data: [DONE]")


async def test_a_request_that_is_cancelled_by_others_stays_cancelled() -> None:
    world = World()
    answer = world.post("/slow")
    await until(lambda: len(world.under_way) == 1)
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    assert len(world.under_way) == 0


async def test_websockets_are_refused_with_the_code_for_it() -> None:
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    async def never(*_: object) -> None:
        raise AssertionError("let in")

    status = Status()
    await AvailabilityMiddleware(never, status, UnderWay())({"type": "websocket"}, never, send)  # type: ignore[arg-type]  # never called
    assert sent == [{"type": "websocket.close", "code": 1013}]
