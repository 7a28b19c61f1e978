"""What judges and policies are called."""

from pathlib import Path

from selfjudge_training.evaluation.evaluation_config import JudgeSource, PolicySource


def test_a_folder_that_a_run_leaves_has_the_runs_name() -> None:
    assert JudgeSource(kind="folder", at="selfjudge/models/selfjudge-tiny").name == "selfjudge-tiny"
    assert JudgeSource(kind="folder", at="build/jsft-hh/model").name == "jsft-hh"
    assert JudgeSource(kind="folder", at="model").name == "model"
    assert PolicySource(kind="folder", at="build/self-train/iteration-2/model").name == "iteration-2"
    adapted = PolicySource(kind="folder", at="build/jsft-hh/model", adapter=Path("build/self-train-hh/adapter"))
    assert adapted.name == "jsft-hh+self-train-hh"


def test_a_model_behind_an_address_has_its_own_name_or_the_address() -> None:
    assert JudgeSource(kind="chat", at="http://host/v1", model="big").name == "big"
    assert JudgeSource(kind="server", at="http://host/v1").name == "http://host/v1"
    assert PolicySource(kind="server", at="http://host/v1", model="big").name == "big"
