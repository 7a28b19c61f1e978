"""Loops and arrivals, against a server that answers by a script."""

import time
from collections.abc import AsyncIterator
from itertools import count

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from loadtests.overload.phases import NO_ANSWER, Asker, Reply, asking, crowd, open_loop, until_forgotten
from loadtests.server import Connection
from loadtests.workload import Sampling, draw_jobs


@pytest.fixture
async def asker() -> AsyncIterator[Asker]:
    """Asks a server that refuses every second request."""
    numbers, seeds = count(), set[int]()

    async def answer(request: web.Request) -> web.Response:
        seeds.add((await request.json())["seed"])
        number = next(numbers)
        assert len(seeds) == number + 1, "every request has a seed of its own"
        if number % 2:
            return web.json_response({}, status=429, headers={"Retry-After": "0"})
        return web.json_response({})

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text="# TYPE selfjudge_candidates_limit gauge\nselfjudge_candidates_limit 128.0\n")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    app.router.add_get("/metrics", metrics)
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as session:
        yield Asker(Connection(session, "", 0), 4, Sampling(1.0, 8), draw_jobs(3))


async def test_the_server_tells_how_many_tournaments_it_runs_at_once(asker: Asker) -> None:
    assert await asker.at_once() == 128 // 4


async def test_closed_loops_ask_for_as_long_as_told(asker: Asker) -> None:
    level = await asking(asker, clients=2, seconds=0.3)
    assert (level.clients, level.seconds >= 0.3) == (2, True)
    assert {reply.status for reply in level.replies} == {200, 429}
    assert all(reply.sent < 0.3 for reply in level.replies)


async def test_an_open_loop_offers_the_rate_whatever_comes_back(asker: Asker) -> None:
    started = time.perf_counter()
    replies = await open_loop(asker, rate=100.0, seconds=1.0, seed=0)
    assert time.perf_counter() - started < 20
    assert 70 <= len(replies) <= 130
    assert next(reply.retry_after for reply in replies if reply.status == 429) == 0.0


async def test_a_crowd_comes_back_until_it_is_answered(asker: Asker) -> None:
    visitors = await crowd(asker, rate=50.0, seconds=0.5, seed=0)
    assert {replies[-1].status for replies in visitors} == {200}
    assert max(len(replies) for replies in visitors) > 1


async def test_a_phase_waits_for_the_last_time_that_was_told(asker: Asker) -> None:
    asker.begin()
    await until_forgotten(asker, [Reply(0.0, 0.1, 429, 0.2), Reply(0.0, 0.0, 429, 0.0), Reply(0.1, 9.0, 200)])
    assert 0.25 <= asker.now < 5


async def test_nobody_waits_where_nobody_was_refused(asker: Asker) -> None:
    asker.begin()
    await until_forgotten(asker, [Reply(0.0, 9.0, 200)])
    assert asker.now < 5


async def test_a_connection_that_fails_is_a_reply_too() -> None:
    async with aiohttp.ClientSession("http://127.0.0.1:9") as session:
        reply = await Asker(Connection(session, "", 0), 4, Sampling(1.0, 8), draw_jobs(1)).ask()
    assert reply.status == NO_ANSWER
