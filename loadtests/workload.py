"""What is asked: held-out prompts, and how many of them for each number of candidates and clients."""

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from selfjudge_training.tasks.split import Split, draw_problems

_PROMPTS_SEED = 0


class Job(NamedTuple):
    """One tournament to be held. The seed is that of sampling and bracket."""

    prompt: str
    seed: int

    @property
    def messages(self) -> list[dict[str, str]]:
        """The prompt as the messages of a chat request."""
        return [{"role": "user", "content": self.prompt}]


class Cell(NamedTuple):
    """One setting that is measured: so many tournaments of `best_of_n`, by so many clients at once."""

    best_of_n: int
    clients: int
    tournaments: int


class Sampling(NamedTuple):
    """How candidates are sampled."""

    temperature: float
    max_tokens: int


def draw_jobs(count: int) -> list[Job]:
    """The first `count` jobs, always the same: prompts that the shipped model was not trained on, tasks in turn."""
    problems = islice(draw_problems(Split.HELD_OUT, _PROMPTS_SEED), count)
    # Choice i of vLLM's `n` is sampled with seed + i: seeds of two jobs must not overlap.
    return [Job(problem.prompt, index * 1000) for index, problem in enumerate(problems)]


def make_cells(best_of_n: Sequence[int], clients: Sequence[int], *, quick: bool) -> list[Cell]:
    """All combinations, each of some seconds' work for every contender on two cores; `quick` makes it a moment's."""
    return [Cell(n, k, k if quick else _tournaments(n, k)) for n in best_of_n for k in clients]


def _tournaments(best_of_n: int, clients: int) -> int:
    # Three for each of 32 clients, so that the last to finish don't count for much; plain answers are cheap.
    return 32 * min(clients, 3) * (3 if best_of_n == 1 else 1)
