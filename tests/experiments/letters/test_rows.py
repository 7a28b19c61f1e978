"""Checkable preference data in three formats, read back by the loaders."""

from collections import Counter
from functools import partial
from pathlib import Path
from statistics import fmean

import pytest
from selfjudge_training.data.load import load_demonstrations, load_pairs
from selfjudge_training.data.rows import write_lines
from selfjudge_training.data.source import Format, Source

from experiments.letters.preferences.rows import checkable_rows, sampled_responses
from experiments.letters.tasks import TASKS, Problem, Split, grade
from selfjudge import load_templates
from selfjudge.shipped import TINY_MODEL

TEMPLATES = load_templates()
FORMATS: tuple[Format, ...] = ("hh", "preferences", "ultrafeedback")


def written(folder: Path, format_: Format, count: int = 120, suffix: str = "jsonl") -> Source:
    path = folder / f"{format_}.{suffix}"
    write_lines(checkable_rows(format_, count, seed=1), path)
    return Source(format=format_, path=path)


def test_the_loaders_find_the_same_pairs_and_demonstrations_in_every_format(tmp_path: Path) -> None:
    sources = [written(tmp_path, format_) for format_ in FORMATS]
    # UltraFeedback's rejected responses are drawn by the loader's seed, which is the generator's here.
    loaded = [load_pairs([source], TEMPLATES["ultrafeedback"], seed=1, strict=True).records for source in sources]
    assert len(loaded[0]) == 120
    assert loaded[0] == loaded[1] == loaded[2]
    shown = [load_demonstrations([source], strict=True).records for source in sources]
    assert shown[0] == shown[1] == shown[2]


def test_principle_pairs_with_rationales_can_be_made_of_them(tmp_path: Path) -> None:
    source = written(tmp_path, "ultrafeedback", suffix="jsonl.gz")
    loaded = load_pairs([source], TEMPLATES["ultrafeedback-principle-rationale"], strict=True)
    assert set(Counter(pair.principle for pair in loaded.records)) == set(
        TEMPLATES["ultrafeedback-principle-rationale"].principles or ()
    )
    assert all(pair.rationale for pair in loaded.records)
    assert loaded.left_out["rationale is missing or compares responses"] == 0


def test_chosen_responses_are_better_by_truth() -> None:
    answers = {row["instruction"]: row["correct_answers"][0] for row in checkable_rows("ultrafeedback", 200, hedged=0)}
    gains = [
        grade(problem, row["chosen"]) - grade(problem, row["rejected"])
        for row in checkable_rows("preferences", 200, hedged=0)
        for problem in [Problem(row["category"], "", row["prompt"], answers[row["prompt"]])]
    ]
    assert min(gains) > -0.5
    assert fmean(gains) > 0.3


def test_instructions_are_different_and_from_their_side_of_the_split() -> None:
    rows = list(checkable_rows("ultrafeedback", 300, split=Split.HELD_OUT))
    assert len({row["instruction"] for row in rows}) == 300
    assert {row["source"] for row in rows} == set(TASKS)
    kept = {row["instruction"] for row in checkable_rows("ultrafeedback", 300, split=Split.TRAIN)}
    assert not kept & {row["instruction"] for row in rows}


def test_equal_seeds_write_equal_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_lines(checkable_rows("hh", 50, seed=1), tmp_path / f"{name}.jsonl.gz")
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()


def test_responses_of_a_model_are_its_own_mistakes_under_both_system_messages() -> None:
    responder = partial(sampled_responses, TINY_MODEL)
    rows = list(checkable_rows("ultrafeedback", 40, responder=responder, hedged=0.0))
    completions = [completion for row in rows for completion in row["completions"]]
    assert len(completions) == 160
    assert Counter(bool(completion["custom_system_prompt"]) for completion in completions) == {True: 80, False: 80}
    right = fmean(
        completion["response"] == row["correct_answers"][0] for row in rows for completion in row["completions"]
    )
    assert 0.2 < right < 0.8


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no model"):
        sampled_responses(tmp_path, [], 0)
