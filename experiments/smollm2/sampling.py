"""What a model answers to tasks, as JSON lines: sampled by the engine, a part of the tasks at a time.

A killed run goes on behind the last part that is whole. Whether an answer is right is the program's to say.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from selfjudge_training.data.rows import write_lines
from selfjudge_training.rollouts.base import RollOuts, Sample, Sampling
from selfjudge_training.rollouts.engine import EngineRollOuts
from selfjudge_training.rollouts.scores import Scorer
from selfjudge_training.seeds import derived_seed
from tqdm import tqdm

from experiments.smollm2 import smollm2_recipe
from experiments.smollm2.tasks import Task
from selfjudge import load_in_place_templates

AT_ONCE = 64
"""Tasks sampled together, and lost together where the run is killed."""
CONTEXT = 1024
CACHE_GIB = 2.0
SCORE = "in-place-score"

Asked = Literal["task", "bare", "garbled"]
"""What was asked: the task, its request without constraints, or the task at a high temperature."""


class Share(NamedTuple):
    """What one of several processes samples."""

    number: int
    of: int


class Answer(NamedTuple):
    """One sampled answer."""

    asked: Asked
    text: str
    score: float | None = None
    """What the judge gives it, where there is one: P(it follows the instruction)."""


def sample_tasks(
    model: Path,
    tasks: Sequence[Task],
    plan: smollm2_recipe.Sampling,
    seed: int,
    share: Share,
    folder: Path,
    *,
    judges: bool,
) -> None:
    """Answer a share of the tasks, a file for each part. ``judges``: the model scores its answers to the tasks."""
    starts = range(0, len(tasks), AT_ONCE)[share.number :: share.of]
    waiting = [start for start in starts if not _part(folder, start).is_file()]
    rollouts = EngineRollOuts(model, rank=1, max_tokens=CONTEXT, cache_gib=CACHE_GIB)
    scorer = Scorer(rollouts, load_in_place_templates()[SCORE]) if judges else None
    for start in tqdm(waiting, "parts of the tasks"):
        part = list(_answers(rollouts, scorer, tasks[start : start + AT_ONCE], plan, derived_seed(seed, start)))
        write_lines(({"answers": [answer._asdict() for answer in answers]} for answers in part), _part(folder, start))
    rollouts.close()


def read_answers(folders: Iterable[Path]) -> list[list[Answer]]:
    """The answers to each task, of all shares, in the order of the tasks."""
    parts = sorted((part for folder in folders for part in folder.glob("part-*.jsonl")), key=lambda part: part.name)
    lines = [line for part in parts for line in part.read_text(encoding="utf-8").splitlines()]
    return [[Answer(**answer) for answer in json.loads(line)["answers"]] for line in lines]


def _part(folder: Path, start: int) -> Path:
    return folder / f"part-{start:06d}.jsonl"


def _answers(
    rollouts: RollOuts, scorer: Scorer | None, tasks: Sequence[Task], plan: smollm2_recipe.Sampling, seed: int
) -> Iterator[list[Answer]]:
    how = Sampling(plan.temperature, 1.0, plan.max_new_tokens)
    asked = [[{"role": "user", "content": task.prompt}] for task in tasks]
    answered = rollouts.sample(asked, samples=plan.samples, sampling=how, seed=derived_seed(seed, "task"))
    nothing: Sequence[Sequence[float | None]] = [[None] * plan.samples] * len(tasks)
    scores = scorer.scores(asked, answered) if scorer else nothing
    bare: Sequence[Sequence[Sample]] = [()] * len(tasks)
    if plan.bare:
        requests = [[{"role": "user", "content": task.request}] for task in tasks]
        bare = rollouts.sample(requests, samples=plan.bare, sampling=how, seed=derived_seed(seed, "bare"))
    garbled: list[Sequence[Sample]] = [()] * len(tasks)
    if few := round(plan.garbled * len(tasks)):
        hot = how._replace(temperature=plan.garbled_temperature)
        garbled[:few] = rollouts.sample(asked[:few], samples=1, sampling=hot, seed=derived_seed(seed, "garbled"))
    for own, own_scores, plain, hot_ones in zip(answered, scores, bare, garbled, strict=True):
        yield [
            *(Answer("task", sample.text, score) for sample, score in zip(own, own_scores, strict=True)),
            *(Answer("bare", sample.text) for sample in plain),
            *(Answer("garbled", sample.text) for sample in hot_ones),
        ]
