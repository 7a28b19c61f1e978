"""What is asked: held-out prompts, and clients in closed loops, each of which asks again once it is answered."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from experiments.letters.tasks import Split, draw_problems

SEEDS_APART: Final = 1000
"""Choice i of vLLM's `n` is sampled with seed + i: seeds of two jobs must not overlap."""
_PROMPTS_SEED = 0

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


class Job(NamedTuple):
    """One tournament to be held. The seed is that of sampling and bracket."""

    prompt: str
    seed: int

    @property
    def messages(self) -> list[dict[str, str]]:
        """The prompt as the messages of a chat request."""
        return [{"role": "user", "content": self.prompt}]


class Sampling(NamedTuple):
    """How candidates are sampled."""

    temperature: float
    max_tokens: int


def draw_jobs(count: int) -> list[Job]:
    """The first `count` jobs, always the same: prompts that the shipped model was not trained on, tasks in turn."""
    problems = islice(draw_problems(Split.HELD_OUT, _PROMPTS_SEED), count)
    return [Job(problem.prompt, index * SEEDS_APART) for index, problem in enumerate(problems)]


async def closed_loops(clients: int, todo: Iterable[_Item], do: Callable[[_Item], Awaitable[_Done]]) -> list[_Done]:
    """Has items done by so many clients, each of which takes the next one when it is through; in the items' order."""
    items = iter(enumerate(todo))
    done: dict[int, _Done] = {}

    async def client() -> None:
        for index, item in items:
            done[index] = await do(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return [done[index] for index in range(len(done))]
