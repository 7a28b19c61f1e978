"""A killed evaluation goes on where it was, and ends with the report of one that was not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from selfjudge_training.evaluation.evaluation_config import JudgeConfig, PolicyConfig
from selfjudge_training.evaluation.judge.judge_stage import run_judge_evaluation
from selfjudge_training.evaluation.policy.policy_stage import run_policy_evaluation
from selfjudge_training.evaluation.sources import JOURNAL
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts

from tests.training.evaluation.questions import write_questions

SHIPPED = {"kind": "folder", "at": "selfjudge/models/selfjudge-tiny"}


class Killed(BaseException):
    """In place of a signal."""


def dying(call: Callable[..., object], after: int) -> Callable[..., object]:
    calls = iter(range(after))

    def wrapper(*arguments: object, **options: object) -> object:
        if next(calls, None) is None:
            raise Killed
        return call(*arguments, **options)

    return wrapper


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_killed_evaluation_of_a_policy_ends_with_the_same_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfjudge_training.evaluation.journal.CHUNK_OF_SAMPLES", 4)
    config = PolicyConfig.model_validate(
        {
            "seed": 0,
            "policy": SHIPPED,
            "questions": write_questions(tmp_path / "questions.json", 6),
            "decoding": {"max_new_tokens": 8},
            "judge": {"kind": "answers"},
            "sweep": {"sizes": [1, 2]},
        }
    )
    run_policy_evaluation(config, tmp_path / "whole")
    for after in (1, 2, 4):
        with monkeypatch.context() as patch:
            patch.setattr(HuggingFaceRollOuts, "sample", dying(HuggingFaceRollOuts.sample, after))
            with pytest.raises(Killed):
                run_policy_evaluation(config, tmp_path / "killed")
        assert (tmp_path / "killed" / JOURNAL).is_file()
    with monkeypatch.context() as patch:
        patch.setattr(
            HuggingFaceRollOuts, "sample", dying(HuggingFaceRollOuts.sample, 1)
        )  # of eight batches, seven are there
        run_policy_evaluation(config, tmp_path / "killed")
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_a_killed_evaluation_of_a_judge_ends_with_the_same_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfjudge_training.evaluation.journal.CHUNK_OF_COMPARISONS", 3)
    questions = write_questions(tmp_path / "questions.json", 8)
    sampled = {"questions": questions, "samples": 2, "policy": SHIPPED, "decoding": {"max_new_tokens": 8}}
    config = JudgeConfig.model_validate({"seed": 0, "judge": SHIPPED, "sampled": sampled})
    run_judge_evaluation(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(HuggingFaceRollOuts, "read", dying(HuggingFaceRollOuts.read, 1))
        with pytest.raises(Killed):
            run_judge_evaluation(config, tmp_path / "killed")
    with monkeypatch.context() as patch:
        patch.setattr(HuggingFaceRollOuts, "sample", dying(HuggingFaceRollOuts.sample, 0))
        run_judge_evaluation(config, tmp_path / "killed")
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
