"""Question files about what the tiny model can do."""

import json
from pathlib import Path

from experiments.letters.tasks import held_out_problems


def write_questions(path: Path, count: int) -> Path:
    """So many held-out instructions with their answers, in AlpacaEval's form."""
    rows = [
        {"instruction": problem.prompt, "dataset": problem.task, "answer": problem.answer}
        for problem in held_out_problems(count, seed=0)
    ]
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path
