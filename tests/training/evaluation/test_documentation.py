"""The commands that docs/evaluation.md shows are ones that the configuration accepts."""

import re
import shlex
from pathlib import Path

import pytest
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.evaluation.evaluation_config import JudgeConfig, PolicyConfig
from selfjudge_training.evaluation.judge.judge_report import evaluate_judge, judge_report
from selfjudge_training.run.config import load_config, recipe_path

from tests.training.evaluation.fakes import Preferring

DOCUMENT = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(block.replace("\\\n", " ")) for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)]
KINDS: dict[str, type[JudgeConfig | PolicyConfig]] = {"judge": JudgeConfig, "policy": PolicyConfig}


@pytest.mark.parametrize("words", COMMANDS, ids=[words[2] for words in COMMANDS])
def test_a_shown_command_is_accepted(words: list[str]) -> None:
    program, evaluate, kind, *arguments = words
    assert (program, evaluate, arguments[0]) == ("selfjudge-train", "evaluate", "--output")
    config = load_config(KINDS[kind], recipe_path(f"evaluate-{kind}"), arguments[2:])
    assert "path/to" in str(config)


def test_both_are_shown() -> None:
    assert {words[2] for words in COMMANDS} == set(KINDS)


def test_every_figure_of_a_judge_is_explained() -> None:
    explained = {cell.lower() for cell in re.findall(r"^\| ([^|]+) \|", DOCUMENT, re.MULTILINE)}
    pair = PreferencePair([{"role": "user", "content": "x"}], "aa", "b")
    tables = judge_report("length", {"set": evaluate_judge(Preferring(len), [pair])}, {}).tables
    shown = {column.lower() for table in tables for column in table.columns}
    assert shown - {"set", "pairs", "ties"} <= explained
