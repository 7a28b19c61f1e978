"""Answers of models to instructions, and their judgments of answers."""

from collections.abc import Sequence
from pathlib import Path

from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import RollOuts, Sampling
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.rollouts.judge import Judge
from typing_extensions import override

from experiments.letters.model.weights import load_model
from selfjudge import Comparison, JudgmentEncoder, Verdict, load_templates

TEMPLATE = "ultrafeedback"
"""The judgment template that the shipped model learns (table 13), and the default system message with it (table 11)."""

SYSTEM_MESSAGE = str(load_templates()[TEMPLATE].system)

CHUNK = 4096
"""Answers that are sampled with one seed; the next ones have the next seed."""

NEW_TOKENS = 24
"""No right answer has half as many; whatever is still going on here is cut, and wrong."""


def load_rollouts(folder: Path) -> HuggingFaceRollOuts:
    """Of a saved model. Raises FileNotFoundError where there is none."""
    return HuggingFaceRollOuts(*load_model(folder), rows=512)


def asked(prompt: str, *, system: bool = False) -> Messages:
    """An instruction as a conversation, with or without the default system message in front."""
    before: Messages = [{"role": "system", "content": SYSTEM_MESSAGE}] if system else []
    return [*before, {"role": "user", "content": prompt}]


def sample_answers(
    rollouts: RollOuts, prompts: Sequence[str], samples: int, temperature: float, seed: int, *, system: bool = False
) -> list[list[str]]:
    """Texts of answers to each prompt, with or without the default system message in front."""
    conversations, how = [asked(prompt, system=system) for prompt in prompts], Sampling(temperature, 1.0, NEW_TOKENS)
    size = max(1, CHUNK // samples)
    return [
        [answer.text for answer in answers]
        for number, start in enumerate(range(0, len(prompts), size))
        for answers in rollouts.sample(
            conversations[start : start + size], samples=samples, sampling=how, seed=seed + number
        )
    ]


class RememberingJudge(Judge):
    """Reads each comparison once."""

    def __init__(self, rollouts: RollOuts) -> None:
        encoder = JudgmentEncoder(rollouts.chat, load_templates()[TEMPLATE], max_tokens=rollouts.context - 1)
        super().__init__(rollouts, [encoder])
        self._known: dict[Comparison, Verdict] = {}

    @override
    def verdicts(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        new = [comparison for comparison in dict.fromkeys(comparisons) if comparison not in self._known]
        self._known |= zip(new, super().verdicts(new), strict=True)
        return [self._known[comparison] for comparison in comparisons]
