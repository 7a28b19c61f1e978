"""What an evaluation has sampled and judged so far: a line of a file for each batch, where a killed one goes on.

A batch is found again by what was asked and of whom. Each has a seed of its own, so that answers are the same with and
without a journal.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter
from tqdm import tqdm

from selfjudge import Comparison
from selfjudge_training.data.records import Messages
from selfjudge_training.evaluation.judges.judgment import Judge, Judgment
from selfjudge_training.evaluation.policy.policies import Answer, Policy
from selfjudge_training.rollouts.base import Sampling

JOURNAL = "journal.jsonl"
"""Its name in the folder of an evaluation."""

CHUNK_OF_SAMPLES = 512
CHUNK_OF_COMPARISONS = 128

Item = TypeVar("Item")
Made = TypeVar("Made")

_ANSWERS = TypeAdapter(list[list[Answer]])
_JUDGMENTS = TypeAdapter(list[Judgment])


class _Entry(BaseModel):
    request: str
    made: str


class Journal:
    """One file; entries are added and never changed."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a last line that was not written whole is removed."""
        self._path = path
        lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
            with path.open("r+b") as file:
                file.truncate(sum(map(len, lines)))
        self._made = {entry.request: entry.made for entry in map(_Entry.model_validate_json, lines)}

    def kept(self, request: object, kind: TypeAdapter[Made], make: Callable[[], Made]) -> Made:
        """What was made for an equal request, which is JSON; if nothing was, have it made, and keep it."""
        name = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        if name not in self._made:
            made = kind.dump_json(make()).decode()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_Entry(request=name, made=made).model_dump_json() + "\n")
            self._made[name] = made
        return kind.validate_json(self._made[name])

    def remove(self) -> None:
        """Delete the file, once what was made of it is written: a model may change before it is measured again."""
        self._path.unlink(missing_ok=True)


class KeptPolicy:
    """A policy; ``who`` tells it from others in the same journal."""

    def __init__(self, policy: Policy, journal: Journal, who: str) -> None:
        self._policy, self._journal, self._who = policy, journal, who

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Answer]]:
        """As `Policy.sample`."""
        size = max(1, CHUNK_OF_SAMPLES // samples)
        answers: list[list[Answer]] = []
        for number, asked in enumerate(_batches(conversations, size, "sampling")):
            own_seed = seed + number
            draw = partial(self._policy.sample, asked, samples=samples, sampling=sampling, seed=own_seed)
            request = ["sample", self._who, asked, samples, sampling, own_seed]
            drawn: list[list[Answer]] = self._journal.kept(request, _ANSWERS, draw)
            answers += drawn
        return answers


class KeptJudge:
    """A judge; ``who`` tells it from others in the same journal."""

    def __init__(self, judge: Judge, journal: Journal, who: str) -> None:
        self._judge, self._journal, self._who = judge, journal, who

    def verdicts(self, comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:
        """As `Judge.verdicts`."""
        judgments: list[Judgment] = []
        for asked in _batches(comparisons, CHUNK_OF_COMPARISONS, "judging"):
            judge = partial(self._judge.verdicts, asked, principle)
            made: list[Judgment] = self._journal.kept(["judge", self._who, principle, asked], _JUDGMENTS, judge)
            judgments += made
        return judgments


def _batches(items: Sequence[Item], size: int, what: str) -> Iterator[list[Item]]:
    for start in tqdm(range(0, len(items), size), what, unit="batch", leave=False):
        yield list(items[start : start + size])
