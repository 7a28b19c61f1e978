"""Responses to checkable instructions: what a model samples, or right answers and edits of them where there is none."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from selfjudge_training.data.source import DataError

from experiments.letters.preferences.edits import edited
from experiments.letters.tasks import Problem

RIGHT_SHARE = 0.4
"""Of the responses that are not sampled; near that of the shipped model's samples."""


class Response(NamedTuple):
    """One response, as it came."""

    text: str
    model: str
    system: str = ""
    """The system message that it was made under, if any."""


Responder = Callable[[Sequence[Problem], int], list[list[Response]]]
"""Four responses to each problem, decided by a seed."""


def edited_responses(problems: Sequence[Problem], seed: int) -> list[list[Response]]:
    """Right answers and small edits of them: quick, for trying things out; a judge learns edits, not mistakes."""
    rng = random.Random(f"edits:{seed}")
    return [[_edited_response(problem, rng) for _ in range(4)] for problem in problems]


def _edited_response(problem: Problem, rng: random.Random) -> Response:
    right = rng.random() < RIGHT_SHARE
    return Response(problem.answer if right else edited(problem.answer, rng), "edits")


def sampled_responses(model: Path) -> Responder:
    """Samples at temperature 1 of a model folder: its very mistakes. Raises DataError where there is no model.

    Two of the four come under the default system message, where UltraFeedback's completions have one each.
    """
    # PyTorch is slow to import, and edits do without.
    from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts  # noqa: PLC0415

    from experiments.letters.model.pool import SYSTEM_MESSAGE, sample_answers  # noqa: PLC0415
    from experiments.letters.model.weights import load_model  # noqa: PLC0415

    try:
        rollouts = HuggingFaceRollOuts(*load_model(model))
    except FileNotFoundError as error:
        raise DataError(str(error)) from error

    def respond(problems: Sequence[Problem], seed: int) -> list[list[Response]]:
        prompts = [problem.prompt for problem in problems]
        made: list[list[Response]] = [[] for _ in problems]
        for system in ("", SYSTEM_MESSAGE):
            answers = sample_answers(rollouts, prompts, 2, 1.0, 2 * seed + bool(system), system=bool(system))
            for responses, texts in zip(made, answers, strict=True):
                responses += [Response(text, model.name, system) for text in texts]
        return made

    return respond
