"""Rows of checkable instructions in each of the three formats, of responses that a model samples, or of edits.

The same seed gives the same comparisons in every format: a pair of `hh` or `preferences` is the overall pair of the
row of `ultrafeedback`, and where all responses are equal there is no row. A few wrong and right responses are hedged
("I guess ..."), else honesty would be truth again. The keys beyond the formats' own (`category`) do no harm to others.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from selfjudge_training.data.formats.ultrafeedback import UltraFeedbackRow
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.data.source import Format
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts

from experiments.letters.model import SYSTEM_MESSAGE, TEMPLATE, load_model, sample_answers
from experiments.letters.preferences.ratings import HEDGES, rate
from experiments.letters.preferences.wrong import edited
from experiments.letters.tasks import Problem, Split, different_problems

RIGHT_SHARE = 0.4
"""Of the responses that are not sampled; near that of the shipped model's samples."""

CHUNK = 4096
"""Problems that get their responses at a time."""

Row = dict[str, Any]
"""One row as JSON."""


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

    def response(answer: str) -> Response:
        return Response(answer if rng.random() < RIGHT_SHARE else edited(answer, rng), "edits")

    return [[response(problem.answer) for _ in range(4)] for problem in problems]


def sampled_responses(model: Path, problems: Sequence[Problem], seed: int) -> list[list[Response]]:
    """Samples at temperature 1 of a model folder: its very mistakes. Raises FileNotFoundError where there is no model.

    Two of the four come under the default system message, where UltraFeedback's completions have one each.
    """
    rollouts, prompts = HuggingFaceRollOuts(*load_model(model)), [problem.prompt for problem in problems]
    drawn = [sample_answers(rollouts, prompts, 2, 1.0, 2 * seed + told, system=bool(told)) for told in (0, 1)]
    systems = ("", SYSTEM_MESSAGE)
    return [
        [Response(text, model.name, system) for system, texts in zip(systems, both, strict=True) for text in texts]
        for both in zip(*drawn, strict=True)
    ]


def checkable_rows(
    format_: Format,
    count: int,
    *,
    seed: int = 0,
    split: Split = Split.TRAIN,
    responder: Responder = edited_responses,
    hedged: float = 0.05,
) -> Iterator[Row]:
    """So many rows about different instructions."""
    problems, made = different_problems(split, seed), 0
    rng = random.Random(f"hedges:{seed}")
    while made < count:
        chunk = [problem for problem, _ in zip(problems, range(min(CHUNK, count - made)), strict=False)]
        for problem, responses in zip(chunk, responder(chunk, seed + made), strict=True):
            row = _ultrafeedback_row(problem, [_hedged(response, hedged, rng) for response in responses])
            found = UltraFeedbackRow.model_validate(row).pairs(TEMPLATE, seed, Counter())
            if found:
                made += 1
                yield row if format_ == "ultrafeedback" else _pair_row(format_, problem.prompt, found[0])


def _hedged(response: Response, share: float, rng: random.Random) -> Response:
    hedge = rng.choice(HEDGES)
    return response._replace(text=hedge + response.text) if rng.random() < share else response


def _ultrafeedback_row(problem: Problem, responses: Sequence[Response]) -> Row:
    return {
        "source": problem.task,
        "instruction": problem.prompt,
        "models": [response.model for response in responses],
        "correct_answers": [problem.answer],
        "completions": [
            {
                "model": response.model,
                "custom_system_prompt": response.system,
                "response": response.text,
                "annotations": {
                    principle: {"Rating": str(note.rating), "Rationale": note.rationale}
                    for principle, note in rate(problem, response.text).items()
                },
            }
            for response in responses
        ],
    }


def _pair_row(format_: Format, prompt: str, pair: PreferencePair) -> Row:
    if format_ == "preferences":
        return {"prompt": prompt, "chosen": pair.chosen, "rejected": pair.rejected, "category": pair.category}
    before = f"\n\nHuman: {prompt}\n\nAssistant: "
    return {"chosen": before + pair.chosen, "rejected": before + pair.rejected, "category": pair.category}
