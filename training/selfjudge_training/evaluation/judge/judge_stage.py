"""`evaluate judge` as a function: from a configuration to sets of pairs, and to a folder with the report.

The pairs are those of LLMBar, of preference files, and right answers against sampled wrong ones.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, TypeAdapter

from selfjudge_training.data.load import load_overall_pairs, load_pairs
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.data.rows import validated_rows
from selfjudge_training.data.source import DataError, Part
from selfjudge_training.evaluation.evaluation_config import JudgeConfig
from selfjudge_training.evaluation.judge.judge_report import evaluate_judge, judge_report
from selfjudge_training.evaluation.policies import Policy
from selfjudge_training.evaluation.policy.questions import Question, answer_key, load_questions
from selfjudge_training.evaluation.report import write_report
from selfjudge_training.evaluation.sources import Sources, find_template, open_sources
from selfjudge_training.rollouts.base import PromptError, Sampling
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.folder import RunFolder


def run_judge_evaluation(config: JudgeConfig, output: Path) -> list[Path]:
    """Judge every set, write the report into ``output``, and return the paths of its files.

    Goes on where it was killed. Malformed rows of preference files are counted and shown on stderr. Raises ConfigError
    where ``output`` holds an evaluation with another configuration, DataError, EndpointError, ValueError for an empty
    set.
    """
    folder = RunFolder.open(output, config, seed=config.seed).path
    with open_sources(folder) as sources:
        judge = sources.judge(config.judge)
        results = {name: evaluate_judge(judge, pairs) for name, pairs in _sets(config, sources).items()}
        return write_report(judge_report(config.judge.name, results, config.model_dump(mode="json")), folder)


def _sets(config: JudgeConfig, sources: Sources) -> dict[str, list[PreferencePair]]:
    """The pairs of each set by its name."""
    sets = {}
    if config.llmbar:
        sets["LLMBar"] = llmbar_pairs(config.llmbar)
    for source in config.pairs:
        # Under principles where the source has some, else on the whole.
        ranked, template = source.format == "ultrafeedback", find_template(config.judge.template)
        loaded = load_pairs([source], template) if ranked else load_overall_pairs([source])
        name = source.name if source.part is Part.ALL else f"{source.name}, {source.part}"
        if name in sets:
            raise ConfigError(f"pairs: {name} is there twice; name each set once")
        print("\n".join([f"{name}:", *loaded.account("pairs")]), file=sys.stderr)
        sets[name] = loaded.records
    if plan := config.sampled:
        policy, questions = sources.policy(plan.policy), load_questions(plan.questions)
        pairs = sampled_pairs(policy, questions, plan.samples, plan.decoding.sampling, config.seed)
        sets["Right against sampled answers"] = pairs
    return sets


class _LLMBarRow(BaseModel):
    input: str
    output_1: str
    output_2: str
    label: Literal[1, 2]
    """Which output follows the instruction better."""

    def pair(self, category: str) -> PreferencePair:
        outputs = (self.output_1, self.output_2) if self.label == 1 else (self.output_2, self.output_1)
        return PreferencePair([{"role": "user", "content": self.input}], *outputs, category=category)


_LLMBAR = TypeAdapter(_LLMBarRow)


def llmbar_pairs(folder: Path) -> list[PreferencePair]:
    """The comparisons of LLMBar (princeton-nlp/LLMBar), one JSON file for each category, named after it.

    Raises DataError naming the file and the row, or where there is no file.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise DataError(f"{folder}: holds no *.json file; should be a folder of LLMBar's comparisons")
    accepted = "the texts input, output_1, output_2, and label 1 or 2"
    return [row.pair(path.stem) for path in files for _, row in validated_rows(path, _LLMBAR, accepted)]


def sampled_pairs(
    policy: Policy, questions: Sequence[Question], samples: int, sampling: Sampling, seed: int
) -> list[PreferencePair]:
    """The right answer of each question against each different wrong one among a policy's samples.

    Raises ValueError where no sample is wrong, DataError where an answer is not known, PromptError where a question is
    too long for the policy.
    """
    key = answer_key(questions)
    if not key:
        raise DataError("sampled.questions: every row should have an 'answer'")
    drawn = policy([question.first_turn for question in questions], samples, sampling, seed)
    too_long = sum(not answers[0].fits for answers in drawn)
    if too_long:
        raise PromptError(
            f"{too_long} of {len(questions)} questions and {sampling.max_new_tokens} new tokens have no room in the "
            "context of the policy; lower sampled.decoding.max_new_tokens"
        )
    pairs = [
        PreferencePair(question.first_turn, right, text, category=question.category)
        for question, answers in zip(questions, drawn, strict=True)
        for right in [key[question.turns[0]]]
        for text in dict.fromkeys(one.text for one in answers)
        if text != right
    ]
    if not pairs:
        raise ValueError(f"{samples} samples to each of {len(questions)} questions are all right: no pair to judge")
    return pairs
