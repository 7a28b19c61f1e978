"""Tasks: the same by the same seed, no prompt twice, and nothing of the held-out part in training."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.smollm2.tasks import Task, drawing, tasks
from experiments.smollm2.tasks.kinds.registry import KINDS, compatible

DATA = Path(drawing.__file__).parent


def read(name: str) -> dict[str, dict[str, Any]]:
    content: dict[str, dict[str, Any]] = yaml.safe_load((DATA / f"{name}.yaml").read_text())
    return content


@pytest.fixture(scope="module")
def training() -> list[Task]:
    return tasks("train", 3000, 1)


@pytest.fixture(scope="module")
def held_out() -> list[Task]:
    return tasks("held-out", 1000, 1)


def test_the_same_arguments_give_the_same_tasks_and_another_seed_others(training: list[Task]) -> None:
    assert tasks("train", 3000, 1) == training
    assert tasks("train", 20, 1) == training[:20]
    assert tasks("train", 20, 2) != training[:20]


def test_no_prompt_comes_twice(training: list[Task], held_out: list[Task]) -> None:
    assert len({task.prompt for task in training + held_out}) == len(training + held_out)


def test_training_sees_no_held_out_subject_and_no_held_out_phrasing(training: list[Task], held_out: list[Task]) -> None:
    assert {task.subject for task in training}.isdisjoint(task.subject for task in held_out)
    for name in ("forms", "phrasings"):
        said = [re.escape(words) for entry in read(name).values() for words in entry["held-out"]]
        pattern = re.compile("|".join(re.sub(r"\\{\w+\\}", ".{0,60}", words) for words in said))
        assert [task.prompt for task in training[:1000] if pattern.search(task.prompt)] == []
        assert any(pattern.search(task.prompt) for task in held_out)


def test_a_prompt_holds_its_request_and_every_constraint(training: list[Task]) -> None:
    for task in training:
        assert task.request in task.prompt
        for constraint in task.constraints:
            assert constraint.words[1:] in task.prompt


def test_constraints_are_one_to_three_that_suit_each_other(training: list[Task], held_out: list[Task]) -> None:
    for task in training + held_out:
        assert 1 <= len(task.constraints) <= 3
        assert compatible([constraint.kind for constraint in task.constraints])


@pytest.mark.parametrize("part", ["training", "held_out"])
def test_every_kind_and_every_form_is_met(part: str, request: pytest.FixtureRequest) -> None:
    drawn: list[Task] = request.getfixturevalue(part)
    kinds = Counter(constraint.kind for task in drawn for constraint in task.constraints)
    assert min(kinds[kind] for kind in KINDS) > len(drawn) / 60
    assert {task.form for task in drawn} == set(read("forms"))


def test_what_is_sold_and_only_that_is_advertised(training: list[Task]) -> None:
    sold = {name for field in read("subjects").values() if field.get("sold") for name in field["train"]}
    forms = {name for name, form in read("forms").items() if form.get("for") == "sold"}
    assert {task.subject for task in training if task.form in forms} <= sold


def test_there_are_enough_subjects_forms_and_phrasings() -> None:
    fields = read("subjects").values()
    subjects = [name for field in fields for part in ("train", "held-out") for name in field[part]]
    assert len(set(subjects)) == len(subjects) >= 500
    assert sum(len(field["held-out"]) for field in fields) == len(subjects) / 5
    assert read("phrasings").keys() == KINDS.keys()
    for entry in [*read("phrasings").values(), *read("forms").values()]:
        assert len(entry["train"]) >= 4
        assert len(entry["held-out"]) >= 2
        assert not set(entry["train"]) & set(entry["held-out"])


def test_forms_name_kinds_that_exist() -> None:
    for form in read("forms").values():
        assert set(form.get("without", ())) | set(form.get("only", ())) <= KINDS.keys()
