"""All cells measured by a made-up model: it answers by chance, and judges by how many commas it sees."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from selfjudge_training.rollouts.base import RollOuts, Sampling
from selfjudge_training.run.config import load_config
from transformers import AutoTokenizer
from typing_extensions import override

from experiments.smollm2.evidence.cells import forms
from experiments.smollm2.evidence.cells.bench import Bench
from experiments.smollm2.evidence.evaluate import QUICK
from experiments.smollm2.evidence.evidence_plan import EvidencePlan
from experiments.smollm2.evidence.steps import plan_steps
from selfjudge import ChoiceTokens, InPlaceTemplate, load_in_place_templates
from selfjudge.shipped import TINY_MODEL

TEXTS = (
    "no comma here.",
    "One, two, three.",
    "ALL OF IT IS LOUD",
    "* one\n* two\n* three",
    '"quoted"',
    "P.S. that is all",
)
PAIR = load_in_place_templates()["in-place-pair"]
# The tokenizer that ships has no token for a whole word.
SCORE = InPlaceTemplate(form="in-place", name="score", source="", question="Is it right? A or B.", labels=("A", "B"))

IFEVAL = [
    {"key": 7, "prompt": "Say it without commas.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    {"key": 8, "prompt": "Be loud.", "instruction_id_list": ["change_case:english_capital"], "kwargs": [{}]},
]
LLMBAR = [{"input": "Say yes.", "output_1": "No, never, no.", "output_2": "Yes.", "label": 2}]
QUESTIONS = [{"question_id": 81, "category": "writing", "turns": ["Write ```a``` tweet.", "Again."]}]


class MadeUp(RollOuts):
    """Neither model nor engine."""

    def __init__(self) -> None:
        super().__init__(AutoTokenizer.from_pretrained(TINY_MODEL, local_files_only=True), 1024)
        self._end = self.chat.tokens.encode(self.chat.tokens.trusted(self.chat.turn_end()))[-1:]

    @override
    def _generate(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling, seed: int) -> list[list[int]]:
        rng = random.Random(seed)
        return [self.chat.tokens.encode(rng.choice(TEXTS)) + self._end for _ in prompts for _ in range(samples)]

    @override
    def _read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[list[float]]:
        commas = [self.chat.tokens.source.decode(ids[-90:]).count(",") for ids in prompts]
        return [[-1.0 - count / 10, -1.2] for count in commas]


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory) -> EvidencePlan:
    data = tmp_path_factory.mktemp("data")
    (data / "ifeval.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in IFEVAL))
    (data / "natural.json").write_text(json.dumps(LLMBAR))
    (data / "questions.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in QUESTIONS))
    paths = {"ifeval.path": data / "ifeval.jsonl", "chat.llmbar": data, "chat.questions": data / "questions.jsonl"}
    models = {f"models.{name}.path": TINY_MODEL for name in ("base", "jm", "self-1")}
    overrides = [f"{key}={value}" for key, value in (paths | models).items()]
    more = ["tasks.prompts=24", "tasks.matches=8", "models.self-2.path=not/there", "hot_swap.adapter=not/there"]
    return load_config(EvidencePlan, QUICK, [*overrides, *more, "models.jm.ifeval=4"])


@pytest.fixture(scope="session")
def measured(plan: EvidencePlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evidence")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "load_in_place_templates", lambda: {forms.SCORE: SCORE, forms.PAIR: PAIR})
        made_up = MadeUp()
        for step in plan_steps(plan):
            bench = Bench(plan, root, step.model)
            bench.__dict__["rollouts"] = made_up  # in the place of its engine
            for cell in step.cells if step.model != "self-2" else ():
                cell(bench)
    return root
