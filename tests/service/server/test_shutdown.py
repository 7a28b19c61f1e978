"""What is under way is finished; a second signal or the deadline ends it with an answer."""

import asyncio
import os
import signal

from selfjudge_service.server.shutdown import Signals, drain

from tests.service.engine.fakes import until
from tests.service.middleware.world import World


async def test_nothing_to_finish_takes_no_time() -> None:
    world = World()
    async with asyncio.timeout(1):
        await drain(world.status, world.under_way, asyncio.Event(), 60)
    assert world.status.draining


async def test_what_is_under_way_is_finished_while_new_work_is_refused() -> None:
    world = World()
    running = world.post("/slow")
    await until(lambda: len(world.under_way) == 1)
    draining = asyncio.create_task(drain(world.status, world.under_way, asyncio.Event(), 60))
    await until(lambda: world.status.draining)
    assert (await world.post("/slow")).status_code == 503
    assert not draining.done()
    world.done.set()
    await draining
    assert (await running).status_code == 200


async def test_at_the_deadline_the_rest_is_answered_503() -> None:
    world = World()
    running = [world.post("/slow"), world.post("/slow")]
    await until(lambda: len(world.under_way) == 2)
    await drain(world.status, world.under_way, asyncio.Event(), 0.05)
    assert [(await one).status_code for one in running] == [503, 503]


async def test_the_first_signal_asks_for_a_drain_and_the_second_for_a_hurry() -> None:
    world, signals = World(), Signals()
    running = world.post("/slow")
    await until(lambda: len(world.under_way) == 1)
    os.kill(os.getpid(), signal.SIGTERM)
    await signals.stop.wait()
    assert not signals.hurry.is_set()
    draining = asyncio.create_task(drain(world.status, world.under_way, signals.hurry, 60))
    os.kill(os.getpid(), signal.SIGINT)
    await draining
    assert (await running).status_code == 503
