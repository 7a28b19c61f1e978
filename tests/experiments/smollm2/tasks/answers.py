"""Texts as a small model writes them, for the tests of verifiers and edits."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from experiments.smollm2.tasks import Part, Task, tasks

ANSWERS: list[str] = json.loads(Path(__file__).with_name("answers.json").read_text())
"""Samples of SmolLM2-135M-Instruct, temperature 0.7, for requests of the training part."""


def repaired_tasks(number: int, seed: int, part: Part = "train") -> Iterator[tuple[Task, str]]:
    """Tasks, each with a sample repaired to keep its constraints, where that is possible."""
    rng = random.Random(seed)
    for task in tasks(part, number, seed):
        repaired = task.repaired(rng.choice(ANSWERS), rng)
        if repaired is not None:
            yield task, repaired
