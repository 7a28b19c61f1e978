"""What the benchmark asks, which follows the model, and how much of it two cores do in a quarter of an hour."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from experiments.smollm2.tasks import tasks
from loadtests.workload import SEEDS_APART, Job, draw_jobs
from selfjudge.shipped import TINY_MODEL

_LICENSE: Final = Path(__file__).resolve().parents[2] / "LICENSE"
_PASSAGE: Final = 4500
"""Characters of about 1,000 tokens."""
_SEED: Final = 0


class Prompts(NamedTuple):
    """Prompts of one kind, and the benchmark's defaults for them."""

    page: str
    """Name of the files."""
    title: str
    draw: Mapping[str, Callable[[int], list[Job]]]
    """By the column that says how long they are: the first jobs, always the same."""
    best_of_n: Sequence[int]
    clients: Sequence[int]
    rounds: int
    max_tokens: int
    temperature: float
    by_score: bool
    """Whether the server is also asked for the best by score."""
    tournaments: Callable[[int, int], int]
    """By N and clients: what is some seconds' work for every contender."""


def prompts_for(model: Path) -> Prompts:
    """Letters for the tiny model, which knows nothing else, and English for others."""
    return _LETTERS if model == TINY_MODEL else _ENGLISH


def _english(count: int) -> list[Job]:
    drawn = tasks("held-out", count, _SEED)
    return [Job(task.prompt, index * SEEDS_APART) for index, task in enumerate(drawn)]


def _english_behind_a_text(count: int) -> list[Job]:
    """Each job behind a passage that begins at another place, so that jobs share no prefix."""
    text = " ".join(_LICENSE.read_text().split())
    starts = (611 * index % (len(text) - _PASSAGE) for index in range(count))
    passages = [text[start : start + _PASSAGE] for start in starts]
    return [
        job._replace(prompt=f"{passage}\n\n{job.prompt}")
        for job, passage in zip(_english(count), passages, strict=True)
    ]


def _many(best_of_n: int, clients: int) -> int:
    # Three for each of 32 clients, so that the last to finish don't count for much; plain answers are cheap.
    return 32 * min(clients, 3) * (3 if best_of_n == 1 else 1)


def _few(_: int, clients: int) -> int:
    return max(2, clients)


_LETTERS: Final = Prompts(
    page="speed",
    title="Speed",
    draw={"letters": draw_jobs},
    best_of_n=(1, 4, 8, 16),
    clients=(1, 8, 32),
    rounds=3,
    max_tokens=32,
    temperature=1.0,
    by_score=False,
    tournaments=_many,
)
_ENGLISH: Final = Prompts(
    page="speed-english",
    title="Speed on real text",
    draw={"50 tokens": _english, "1,000 tokens": _english_behind_a_text},
    best_of_n=(1, 8),
    clients=(1, 8),
    rounds=1,
    max_tokens=256,
    temperature=0.7,
    by_score=True,
    tournaments=_few,
)
