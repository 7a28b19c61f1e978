"""What was sampled or judged once is found again, to the last bit, and what was half written is not."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter
from selfjudge_training.data.records import Messages
from selfjudge_training.evaluation.journal import JOURNAL, Journal, KeptJudge, KeptPolicy
from selfjudge_training.evaluation.judges.judgment import Judgment
from selfjudge_training.evaluation.policy.policies import Answer
from selfjudge_training.rollouts.base import Sampling

from selfjudge import Comparison
from tests.training.evaluation.fakes import Counting, Preferring, judgment

SAMPLING = Sampling(1.0, 0.9, 8)
NUMBERS = TypeAdapter(list[float])


def asked(*texts: str) -> list[Messages]:
    return [[{"role": "user", "content": text}] for text in texts]


def test_what_was_made_is_not_made_again(tmp_path: Path) -> None:
    def never() -> list[float]:
        raise AssertionError

    journal = Journal(tmp_path / JOURNAL)
    assert journal.kept(["a", 1], NUMBERS, lambda: [0.1 + 0.2]) == [0.1 + 0.2]
    assert journal.kept(["a", 1], NUMBERS, never) == [0.1 + 0.2]
    later = Journal(tmp_path / JOURNAL)
    assert later.kept(["a", 1], NUMBERS, never) == [0.1 + 0.2], "not to the last bit"
    assert later.kept(["a", 2], NUMBERS, lambda: [2.0]) == [2.0]
    later.remove()
    assert Journal(tmp_path / JOURNAL).kept(["a", 1], NUMBERS, lambda: [3.0]) == [3.0]


@pytest.mark.parametrize("kept", [0, 1, 30, 60, 93])  # a line has 94 bytes
def test_killed_while_it_writes_it_keeps_what_is_whole(tmp_path: Path, kept: int) -> None:
    file = tmp_path / JOURNAL
    journal = Journal(file)
    journal.kept("first", NUMBERS, lambda: [1.0])
    whole = file.stat().st_size
    journal.kept("second", NUMBERS, lambda: [2.0])
    with file.open("r+b") as handle:
        handle.truncate(whole + kept)
    resumed = Journal(file)
    assert file.stat().st_size == whole
    assert resumed.kept("first", NUMBERS, lambda: [9.0]) == [1.0]
    assert resumed.kept("second", NUMBERS, lambda: [9.0]) == [9.0]
    assert Journal(file).kept("second", NUMBERS, lambda: [0.0]) == [9.0]


def test_answers_and_judgments_come_back_as_they_were(tmp_path: Path) -> None:
    comparisons = [Comparison("x", "long", "s"), Comparison(asked("y")[0], "s", "long")]
    policy, panel = Counting(), Preferring(len)

    def say() -> tuple[list[list[Answer]], list[Judgment]]:
        journal = Journal(tmp_path / JOURNAL)
        answers = KeptPolicy(policy, journal, "me").sample(asked("a", "b"), samples=3, sampling=SAMPLING, seed=5)
        return answers, KeptJudge(panel, journal, "you").verdicts(comparisons, "honesty")

    answers, judgments = say()
    assert judgments == [judgment(0.9, 0.9), judgment(0.1, 0.1)]
    assert say() == (answers, judgments)
    assert (len(policy.asked), len(panel.asked)) == (2, 2), "asked again"


@pytest.mark.parametrize("other", ["who", "samples", "seed", "sampling", "text"])
def test_another_request_is_asked(tmp_path: Path, other: str) -> None:
    journal, policy = Journal(tmp_path / JOURNAL), Counting()
    KeptPolicy(policy, journal, "me").sample(asked("a"), samples=2, sampling=SAMPLING, seed=5)
    KeptPolicy(policy, journal, "you" if other == "who" else "me").sample(
        asked("b" if other == "text" else "a"),
        samples=3 if other == "samples" else 2,
        sampling=SAMPLING._replace(temperature=0.5) if other == "sampling" else SAMPLING,
        seed=6 if other == "seed" else 5,
    )
    assert len(policy.asked) == 2
