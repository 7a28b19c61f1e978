"""Rows in UltraFeedback's form: weak checkpoints respond, programs rate and explain.

One response of each checkpoint to an instruction, at temperature 1, as UltraFeedback has four models' completions. What
is demonstrated is the best response of the weaker checkpoints alone: a judge then knows mistakes as rare as those of
the model that learns from it, and there is something left to learn.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from selfjudge_training.data.rows import write_lines
from selfjudge_training.seeds import derived_seed

from experiments.letters.model import load_rollouts, sample_answers
from experiments.letters.preferences.rows import Response, Row, checkable_rows
from experiments.letters.pretraining import step_model
from experiments.letters.tasks import Problem, Split
from experiments.paper.recipe import PaperRecipe

TRAIN, DEMONSTRATIONS, TEST = "train.jsonl", "demonstrations.jsonl", "test.jsonl"
"""What the stage leaves in its folder: rows to train on, the same with demonstrators' responses only, test rows."""


def make_data(recipe: PaperRecipe, base: Path, folder: Path) -> None:
    """Write training rows, and test rows about held-out instructions."""
    plan = recipe.data
    models = {path.name: load_rollouts(path) for step in plan.responders for path in [step_model(base, step)]}
    demonstrators = [step_model(base, step).name for step in plan.demonstrators]

    def respond(problems: Sequence[Problem], seed: int) -> list[list[Response]]:
        """One response of each checkpoint to each problem."""
        prompts = [problem.prompt for problem in problems]
        drawn = [sample_answers(one, prompts, 1, 1.0, derived_seed(seed, name)) for name, one in models.items()]
        return [
            [Response(text, name) for name, [text] in zip(models, texts, strict=True)]
            for texts in zip(*drawn, strict=True)
        ]

    rows = partial(checkable_rows, "ultrafeedback", responder=respond, hedged=plan.hedged)
    train = list(rows(plan.rows, seed=derived_seed(recipe.seed, TRAIN), split=Split.TRAIN))
    write_lines(train, folder / TRAIN)
    write_lines((_responses_of(demonstrators, row) for row in train), folder / DEMONSTRATIONS)
    test = rows(plan.test_rows, seed=derived_seed(recipe.seed, TEST), split=Split.HELD_OUT)
    write_lines(test, folder / TEST)


def _responses_of(models: Sequence[str], row: Row) -> Row:
    kept = [completion for completion in row["completions"] if completion["model"] in models]
    return {**row, "models": [completion["model"] for completion in kept], "completions": kept}
