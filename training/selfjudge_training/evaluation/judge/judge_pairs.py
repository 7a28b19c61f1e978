"""Pairs that a judge is measured on: LLMBar, preference files, and right answers against sampled wrong ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, TypeAdapter

from selfjudge import JudgmentTemplate, load_templates
from selfjudge_training.data.load import Loaded, load_pairs
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.data.rows import validated_rows
from selfjudge_training.data.source import DataError, Source
from selfjudge_training.evaluation.policy.policies import Policy
from selfjudge_training.evaluation.policy.questions import Question, answer_key
from selfjudge_training.rollouts.base import PromptError, Sampling

WITHOUT_PRINCIPLES = "ultrafeedback"


class _LLMBarRow(BaseModel):
    input: str
    output_1: str
    output_2: str
    label: Literal[1, 2]
    """Which output follows the instruction better."""


_LLMBAR = TypeAdapter(_LLMBarRow)


def llmbar_pairs(folder: Path) -> list[PreferencePair]:
    """The comparisons of LLMBar (princeton-nlp/LLMBar), one JSON file for each category, named after it.

    Raises DataError naming the file and the row, or where there is no file.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise DataError(f"{folder}: holds no *.json file; should be a folder of LLMBar's comparisons")
    accepted = "the texts input, output_1, output_2, and label 1 or 2"
    return [_llmbar_pair(row, path.stem) for path in files for _, row in validated_rows(path, _LLMBAR, accepted)]


def _llmbar_pair(row: _LLMBarRow, category: str) -> PreferencePair:
    outputs = (row.output_1, row.output_2) if row.label == 1 else (row.output_2, row.output_1)
    return PreferencePair([{"role": "user", "content": row.input}], *outputs, category=category)


def preference_pairs(source: Source, template: JudgmentTemplate) -> Loaded[PreferencePair]:
    """The pairs of one source: under the template's principles where the source has some, else on the whole.

    Raises DataError where the source cannot be read.
    """
    suited = template if source.format == "ultrafeedback" else load_templates()[WITHOUT_PRINCIPLES]
    return load_pairs([source], suited)


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
    conversations = [question.first_turn for question in questions]
    drawn = policy.sample(conversations, samples=samples, sampling=sampling, seed=seed)
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
