"""Where pairs come from."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from selfjudge_training.data.records import Messages
from selfjudge_training.data.source import DataError, Source
from selfjudge_training.evaluation.judge_sets import held_out_pairs, llmbar_pairs, preference_pairs
from selfjudge_training.evaluation.policies import UNASKED, Answer
from selfjudge_training.rollouts.base import PromptError, Sampling
from selfjudge_training.tasks import TASKS
from typing_extensions import override

from selfjudge import load_templates
from tests.training.evaluation.fakes import Counting


def write(path: Path, rows: object) -> Path:
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_llmbar(tmp_path: Path) -> None:
    row = {"input": "Say hi.", "output_1": "Bye.", "output_2": "Hi.", "label": 2}
    write(tmp_path / "natural.json", [row])
    write(tmp_path / "adversarial-manual.json", [{**row, "label": 1}])
    adversarial, natural = llmbar_pairs(tmp_path)
    assert (natural.chosen, natural.rejected, natural.category) == ("Hi.", "Bye.", "natural")
    assert (adversarial.chosen, adversarial.category) == ("Bye.", "adversarial-manual")
    assert natural.conversation == [{"role": "user", "content": "Say hi."}]


@pytest.mark.parametrize(
    ("rows", "place"),
    [([{"input": "x", "output_1": "a", "output_2": "b", "label": 3}], "0.label"), ([], "file"), ({}, "file")],
)
def test_a_wrong_row_of_llmbar_is_named(rows: object, place: str, tmp_path: Path) -> None:
    write(tmp_path / "natural.json", rows)
    with pytest.raises(DataError, match=rf"natural\.json: {place}: .*label 1 or 2"):
        llmbar_pairs(tmp_path)


def test_a_folder_without_llmbar_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no"):
        llmbar_pairs(tmp_path)


def test_a_preference_file_needs_no_principles(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "Hi", "chosen": "Hello", "rejected": "No"}\n{"prompt": "Hi"}\n', encoding="utf-8")
    source = Source(format="preferences", path=path)
    loaded = preference_pairs(source, load_templates()["ultrafeedback-principle"])
    assert [pair.chosen for pair in loaded.records] == ["Hello"]
    assert len(loaded.malformed) == 1


def test_held_out_pairs_set_the_right_answer_against_wrong_samples() -> None:
    pairs = held_out_pairs(Counting(), questions=6, samples=3, sampling=Sampling(1.0, 1.0, 8), seed=0)
    assert len(pairs) == 18
    assert {pair.category for pair in pairs} == set(TASKS)
    assert len({pair.chosen for pair in pairs if pair.category == "sort"}) == 1
    assert [pair.rejected.split()[-1] for pair in pairs[:3]] == ["0", "1", "2"]


def test_instructions_that_are_too_long_for_the_policy_are_an_error() -> None:
    class Refusing(Counting):
        """As a server that has no room."""

        @override
        def sample(
            self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
        ) -> list[list[Answer]]:
            return [[UNASKED] * samples for _ in conversations]

    with pytest.raises(PromptError, match="6 of 6 instructions and 8 new tokens have no room"):
        held_out_pairs(Refusing(), questions=6, samples=3, sampling=Sampling(1.0, 1.0, 8), seed=0)
