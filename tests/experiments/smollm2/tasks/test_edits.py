"""Repairing and breaking: what tasks make of samples of the base model."""

import random
from collections import Counter

import pytest

from experiments.smollm2.tasks import Task, tasks
from experiments.smollm2.tasks.kinds.registry import KINDS
from tests.experiments.smollm2.tasks.answers import ANSWERS, repaired_tasks

NUMBER = 1500


@pytest.fixture(scope="module")
def repaired() -> list[tuple[Task, str]]:
    return list(repaired_tasks(NUMBER, 5))


def test_what_is_repaired_keeps_every_constraint(repaired: list[tuple[Task, str]]) -> None:
    for task, text in repaired:
        assert task.keeps(text)
        assert all(constraint.keeps(text) for constraint in task.constraints)


def test_most_samples_can_be_repaired_and_every_kind_can(repaired: list[tuple[Task, str]]) -> None:
    drawn = Counter(constraint.kind for task in tasks("train", NUMBER, 5) for constraint in task.constraints)
    done = Counter(constraint.kind for task, _ in repaired for constraint in task.constraints)
    assert len(repaired) > 0.8 * NUMBER
    assert [kind for kind in KINDS if done[kind] < drawn[kind] / 2] == []


def test_what_is_broken_breaks_one_constraint_and_says_which(repaired: list[tuple[Task, str]]) -> None:
    rng = random.Random(0)
    said = Counter[str]()
    for task, text in repaired:
        if broken := task.broken(text, rng):
            by_kind = {constraint.kind: constraint for constraint in task.constraints}
            assert not by_kind[broken[1]].keeps(broken[0])
            said[broken[1]] += 1
    assert sum(said.values()) > 0.95 * len(repaired)
    assert [kind for kind in KINDS if not said[kind]] == []


def test_edits_are_decided_by_the_seed() -> None:
    task = tasks("train", 1, 0)[0]
    text = task.repaired(ANSWERS[0], random.Random(7))
    assert text is not None
    assert task.repaired(ANSWERS[0], random.Random(7)) == text
    assert task.broken(text, random.Random(3)) == task.broken(text, random.Random(3))


def test_a_response_that_keeps_all_is_not_edited(repaired: list[tuple[Task, str]]) -> None:
    for task, text in repaired[:200]:
        assert task.repaired(text, random.Random(0)) == text


def test_what_keeps_not_all_cannot_be_broken() -> None:
    task = next(task for task in tasks("train", 50, 0) if not task.keeps("No."))
    with pytest.raises(ValueError, match="must keep all constraints"):
        task.broken("No.", random.Random(0))


def test_an_empty_response_keeps_nothing() -> None:
    assert not any(task.keeps(" \n") for task in tasks("train", 200, 0))
