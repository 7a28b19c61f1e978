"""A toy model folder, a file of preference pairs, and one of scored responses."""

import json
import random
from itertools import islice
from pathlib import Path

import pytest
import torch
from selfjudge_training.dry_run import make_tiny_model
from selfjudge_training.jsft.jsft_config import JsftConfig

from experiments.letters.tasks import Split, draw_problems
from selfjudge.shipped import TINY_MODEL

# Toy models are so small that a second thread only waits for the first.
torch.set_num_threads(1)

TOKENIZER = TINY_MODEL

# For this tokenizer, yes and no are several tokens.
SCORE = '{name: score, form: in-place, source: me, question: "Right? A or B.", labels: [A, B]}'


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `start`, a model with random weights, `pairs.jsonl`, and `scores.jsonl` with a template for it."""
    folder = tmp_path_factory.mktemp("toy")
    torch.manual_seed(0)
    make_tiny_model("llama", TOKENIZER, 512, folder / "start")
    problems, rng = list(islice(draw_problems(Split.TRAIN, 0), 12)), random.Random(0)
    rows = [
        {"prompt": problem.prompt, "chosen": problem.answer, "rejected": f"{problem.answer}{rng.randrange(10)}"}
        for problem in problems
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    scores = [
        {"prompt": row["prompt"], "response": row[name], "right": right, "demonstrate": right}
        for row in rows
        for name, right in (("chosen", True), ("rejected", False))
    ]
    (folder / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in scores), encoding="utf-8")
    (folder / "templates").mkdir()
    (folder / "templates" / "score.yaml").write_text(SCORE, encoding="utf-8")
    return folder


@pytest.fixture
def config(toy: Path) -> JsftConfig:
    """Twelve demonstrations and 24 judgments, eight a step, two epochs of four steps."""
    source = [{"format": "preferences", "path": str(toy / "pairs.jsonl")}]
    return JsftConfig.model_validate(
        {
            "start": {"path": str(toy / "start"), "architecture": "llama"},
            "data": {"template": "ultrafeedback", "demonstrations": source, "pairs": source, "max_length": 512},
            "optimisation": {"epochs": 2, "batch": 8, "micro_batch": 4, "learning_rate": 0.003},
            "machine": {"checkpoint_every": 3, "log_every": 1},
        }
    )


@pytest.fixture
def all_forms(config: JsftConfig, toy: Path) -> JsftConfig:
    """Twelve demonstrations, 24 judgments of documents, 24 pairs in place and 24 scores, one epoch of ten steps."""
    scores = [{"format": "scored", "path": str(toy / "scores.jsonl")}]
    content = config.model_dump(exclude_unset=True)
    content["data"] |= {
        "template": ["ultrafeedback", "in-place-pair"],
        "templates": str(toy / "templates"),
        "scores": scores,
        "score_template": "score",
    }
    content["optimisation"] |= {"epochs": 1, "weighting": "examples"}
    content["evaluation"] = {"scores": scores, "every": 5}
    return JsftConfig.model_validate(content)
