"""What is asked of the contenders."""

import asyncio
from itertools import pairwise

from loadtests.workload import closed_loops, draw_jobs


def test_jobs_are_always_the_same_and_longer_lists_begin_with_the_shorter() -> None:
    assert draw_jobs(40)[:10] == draw_jobs(10)


def test_no_candidate_of_one_job_shares_its_seed_with_one_of_another() -> None:
    assert all(later.seed - earlier.seed >= 256 for earlier, later in pairwise(draw_jobs(50)))


async def test_clients_share_the_items_and_the_order_stays() -> None:
    running, most = 0, 0

    async def double(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01 * (number % 3))
        running -= 1
        return 2 * number

    assert await closed_loops(3, range(10), double) == list(range(0, 20, 2))
    assert most == 3
