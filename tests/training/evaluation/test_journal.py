"""What was sampled or judged once is found again, to the last bit, and what was half written is not."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter
from selfjudge_training.data.records import Messages
from selfjudge_training.evaluation.journal import Journal, kept_judge, kept_policy
from selfjudge_training.evaluation.judges import Judgment
from selfjudge_training.evaluation.policies import Answer
from selfjudge_training.evaluation.sources import JOURNAL
from selfjudge_training.rollouts.base import Sampling

from selfjudge import Comparison
from tests.training.evaluation.fakes import Counting, Preferring, judgment

SAMPLING = Sampling(1.0, 0.9, 8)
NUMBERS = TypeAdapter(list[float])


def asked(*texts: str) -> list[Messages]:
    return [[{"role": "user", "content": text}] for text in texts]


def numbers(path: Path, request: object, made: float) -> list[float]:
    """Two batches of one number, as they are kept."""
    return Journal(path).each([request], ["x", "y"], 1, NUMBERS, lambda _, number: [made + number])


def test_what_was_made_is_not_made_again(tmp_path: Path) -> None:
    file = tmp_path / JOURNAL
    assert numbers(file, "a", 0.1 + 0.2) == [0.1 + 0.2, 0.1 + 0.2 + 1]
    assert numbers(file, "a", 9.0) == [0.1 + 0.2, 0.1 + 0.2 + 1], "not to the last bit"
    assert numbers(file, "b", 2.0) == [2.0, 3.0]
    file.unlink()
    assert numbers(file, "a", 3.0) == [3.0, 4.0]


@pytest.mark.parametrize("kept", [0, 1, 30, 60, 74])  # of the 75 bytes of the last entry
def test_killed_while_it_writes_it_keeps_what_is_whole(tmp_path: Path, kept: int) -> None:
    file = tmp_path / JOURNAL
    numbers(file, "a", 1.0)
    lines = file.read_bytes().split(b"\n")
    assert [len(line) for line in lines] == [0, 75, 75]
    file.write_bytes(b"\n".join([*lines[:-1], lines[-1][:kept]]))
    assert numbers(file, "a", 8.0) == [1.0, 9.0]
    assert numbers(file, "a", 5.0) == [1.0, 9.0]


def test_answers_and_judgments_come_back_as_they_were(tmp_path: Path) -> None:
    comparisons = [Comparison("x", "long", "s"), Comparison(asked("y")[0], "s", "long")]
    policy, panel = Counting(), Preferring(len)

    def say() -> tuple[list[list[Answer]], list[Judgment]]:
        journal = Journal(tmp_path / JOURNAL)
        answers = kept_policy(policy, journal, "me")(asked("a", "b"), 3, SAMPLING, 5)
        return answers, kept_judge(panel, journal, "you")(comparisons, "honesty")

    answers, judgments = say()
    assert judgments == [judgment(0.9, 0.9), judgment(0.1, 0.1)]
    assert say() == (answers, judgments)
    assert (len(policy.asked), len(panel.asked)) == (2, 2), "asked again"


@pytest.mark.parametrize("other", ["who", "samples", "seed", "sampling", "text"])
def test_another_request_is_asked(tmp_path: Path, other: str) -> None:
    journal, policy = Journal(tmp_path / JOURNAL), Counting()
    kept_policy(policy, journal, "me")(asked("a"), 2, SAMPLING, 5)
    kept_policy(policy, journal, "you" if other == "who" else "me")(
        asked("b" if other == "text" else "a"),
        3 if other == "samples" else 2,
        SAMPLING._replace(temperature=0.5) if other == "sampling" else SAMPLING,
        6 if other == "seed" else 5,
    )
    assert len(policy.asked) == 2
