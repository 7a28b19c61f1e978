"""Rows of checkable instructions in each of the three formats, and files of them.

The same seed gives the same comparisons in every format: a pair of `hh` or `preferences` is the overall pair of the
row of `ultrafeedback`, and where all responses are equal there is no row. A few wrong and right responses are hedged
("I guess ..."), else honesty would be truth again. The keys beyond the formats' own (`category`) do no harm to others.
"""

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from selfjudge_training.data.formats.ultrafeedback import UltraFeedbackRow
from selfjudge_training.data.source import DataError, Format

from experiments.letters.preferences.ratings import HEDGES, rate
from experiments.letters.preferences.responses import Responder, Response, edited_responses
from experiments.letters.tasks import Problem
from experiments.letters.tasks.split import Split, draw_problems
from selfjudge import load_templates

HEDGED_SHARE = 0.05

CHUNK = 4096
"""Problems that get their responses at a time."""

ATTEMPTS = 50
"""Draws per wanted row until there seem to be no new instructions left."""

_OVERALL = load_templates()["ultrafeedback"]

Row = dict[str, Any]
"""One row as JSON."""


def checkable_rows(
    format_: Format,
    count: int,
    *,
    seed: int = 0,
    split: Split = Split.TRAIN,
    responder: Responder = edited_responses,
    hedged: float = HEDGED_SHARE,
) -> Iterator[Row]:
    """So many rows about different instructions. Raises DataError where there are not as many."""
    problems, made = _different_problems(split, seed, ATTEMPTS * count), 0
    rng = random.Random(f"hedges:{seed}")
    while made < count:
        chunk = [problem for problem, _ in zip(problems, range(min(CHUNK, count - made)), strict=False)]
        if not chunk:
            raise DataError(f"there are only {made} different instructions for seed {seed}, not {count}")
        for problem, responses in zip(chunk, responder(chunk, seed + made), strict=True):
            row = _ultrafeedback_row(problem, [_hedged(response, hedged, rng) for response in responses])
            shown = _in_format(format_, row, seed)
            if shown:
                made += 1
                yield shown


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """Write a .jsonl or .jsonl.gz file, and folders above it. Raises DataError for another name."""
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        raise DataError(f"{path}: must end in .jsonl or .jsonl.gz")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    # Without a time in it, equal rows make equal files.
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def _different_problems(split: Split, seed: int, attempts: int) -> Iterator[Problem]:
    seen = set()
    for problem, _ in zip(draw_problems(split, seed), range(attempts), strict=False):
        if problem.prompt not in seen:
            seen.add(problem.prompt)
            yield problem


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


def _in_format(format_: Format, row: Row, seed: int) -> Row | None:
    found = UltraFeedbackRow.model_validate(row).pairs(_OVERALL, seed, Counter())
    if not found:
        return None
    pair = found[0]
    if format_ == "ultrafeedback":
        return row
    prompt = pair.conversation[0]["content"]
    if format_ == "preferences":
        return {"prompt": prompt, "chosen": pair.chosen, "rejected": pair.rejected, "category": pair.category}
    before = f"\n\nHuman: {prompt}\n\nAssistant: "
    return {"chosen": before + pair.chosen, "rejected": before + pair.rejected, "category": pair.category}
