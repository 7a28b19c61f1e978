"""Rows in UltraFeedback's form: weak checkpoints respond, programs rate and explain.

One response of each checkpoint to an instruction, at temperature 1, as UltraFeedback has four models' completions. What
is demonstrated is the best response of the weaker checkpoints alone: a judge then knows mistakes as rare as those of
the model that learns from it, and there is something left to learn.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from selfjudge_training.data.rows import write_lines
from selfjudge_training.data.source import Source
from selfjudge_training.seeds import derived_seed

from experiments.letters.model import load_rollouts, sample_answers
from experiments.letters.preferences.rows import Responder, Response, Row, checkable_rows
from experiments.letters.tasks import Problem
from experiments.letters.tasks.split import Split
from experiments.paper.base import checkpoint
from experiments.paper.recipe import PaperRecipe

TRAIN, DEMONSTRATIONS, TEST = "train.jsonl", "demonstrations.jsonl", "test.jsonl"
"""What the stage leaves in its folder: rows to train on, the same with demonstrators' responses only, test rows."""


def make_data(recipe: PaperRecipe, base: Path, folder: Path) -> None:
    """Write training rows, and test rows about held-out instructions."""
    responders = [checkpoint(base, step) for step in recipe.data.responders]
    demonstrators = {checkpoint(base, step).name for step in recipe.data.demonstrators}
    _write(recipe, partial(_responses, responders), demonstrators, folder)


def _write(recipe: PaperRecipe, responder: Responder, demonstrators: Collection[str], folder: Path) -> None:
    def rows(name: str, split: Split, count: int) -> Iterator[Row]:
        return checkable_rows(
            "ultrafeedback",
            count,
            seed=derived_seed(recipe.seed, name),
            split=split,
            responder=responder,
            hedged=recipe.data.hedged,
        )

    train = list(rows(TRAIN, Split.TRAIN, recipe.data.rows))
    write_lines(train, folder / TRAIN)
    write_lines((_responses_of(demonstrators, row) for row in train), folder / DEMONSTRATIONS)
    write_lines(rows(TEST, Split.HELD_OUT, recipe.data.test_rows), folder / TEST)


def source(data: Path, name: str, limit: int | None = None) -> Source:
    """One of the files in the folder of the stage."""
    return Source(format="ultrafeedback", path=data / name, limit=limit)


def _responses_of(models: Collection[str], row: Row) -> Row:
    kept = [completion for completion in row["completions"] if completion["model"] in models]
    return {**row, "models": [completion["model"] for completion in kept], "completions": kept}


def _responses(checkpoints: Sequence[Path], problems: Sequence[Problem], seed: int) -> list[list[Response]]:
    """One of each checkpoint to each problem."""
    prompts = [problem.prompt for problem in problems]
    drawn = [
        sample_answers(load_rollouts(path), prompts, 1, 1.0, derived_seed(seed, path.name)) for path in checkpoints
    ]
    by_model = ([Response(text, path.name) for [text] in texts] for path, texts in zip(checkpoints, drawn, strict=True))
    return [list(responses) for responses in zip(*by_model, strict=True)]
