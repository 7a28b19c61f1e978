"""What an evaluation has sampled and judged so far: a line of a file for each batch, where a killed one goes on.

A batch is found again by what was asked and of whom. Each has a seed of its own, so that answers are the same with and
without a journal.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter
from tqdm import tqdm

from selfjudge import Comparison
from selfjudge_training.data.records import Messages
from selfjudge_training.evaluation.judges import Judge, Judgment
from selfjudge_training.evaluation.policies import Answers, Policy
from selfjudge_training.rollouts.base import Sampling

CHUNK_OF_SAMPLES = 512
CHUNK_OF_COMPARISONS = 128

Item = TypeVar("Item")
Made = TypeVar("Made")

_ANSWERS = TypeAdapter(Answers)
_JUDGMENTS = TypeAdapter(list[Judgment])


class Journal:
    """One file; entries are added and never changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: dict[str, object] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            with suppress(ValueError):  # of a line that was being written when the evaluation was killed
                name, made = json.loads(line)
                self._made[name] = made

    def each(
        self,
        request: Sequence[object],
        items: Sequence[Item],
        size: int,
        kind: TypeAdapter[list[Made]],
        make: Callable[[list[Item], int], list[Made]],
    ) -> list[Made]:
        """What ``make`` makes of items, batch by numbered batch, unless it did for an equal request, which is JSON."""
        found: list[Made] = []
        for number, start in enumerate(tqdm(range(0, len(items), size), str(request[0]), unit="batch", leave=False)):
            batch = list(items[start : start + size])
            name = hashlib.sha256(json.dumps([request, number, batch], sort_keys=True).encode()).hexdigest()
            if name not in self._made:
                self._made[name] = kind.dump_python(make(batch, number), mode="json")
                with self._path.open("a", encoding="utf-8") as file:
                    file.write("\n" + json.dumps([name, self._made[name]]))  # the line before may have no end
            found += kind.validate_python(self._made[name])
        return found


def kept_policy(policy: Policy, journal: Journal, who: str) -> Policy:
    """The policy, its answers kept; ``who`` tells it from others in the same journal."""

    def sample(conversations: Sequence[Messages], samples: int, sampling: Sampling, seed: int) -> Answers:
        request, size = ["sample", who, samples, sampling, seed], max(1, CHUNK_OF_SAMPLES // samples)
        return journal.each(
            request,
            conversations,
            size,
            _ANSWERS,
            lambda asked, number: policy(asked, samples, sampling, seed + number),
        )

    return sample


def kept_judge(judge: Judge, journal: Journal, who: str) -> Judge:
    """The judge, its judgments kept; ``who`` tells it from others in the same journal."""

    def verdicts(comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:
        request, size = ["judge", who, principle], CHUNK_OF_COMPARISONS
        return journal.each(request, comparisons, size, _JUDGMENTS, lambda asked, _: judge(asked, principle))

    return verdicts
