"""Policies and judges whose batches go through a journal: what was sampled or judged before is not asked for again.

Batches are those in which a model folder works anyway, and have their own seeds, so that answers are the same with
and without a journal, however often an evaluation was killed.
"""

from collections.abc import Sequence
from functools import partial

from pydantic import TypeAdapter
from tqdm import tqdm

from selfjudge import Comparison
from selfjudge_training.data.records import Messages
from selfjudge_training.evaluation import model_judge, policies
from selfjudge_training.evaluation.journal import Journal
from selfjudge_training.evaluation.judges import Judge, Judgment, Panel
from selfjudge_training.evaluation.policies import Answer, Policy
from selfjudge_training.rollouts.base import Sampling

_ANSWERS = TypeAdapter(list[list[Answer]])
_JUDGMENTS = TypeAdapter(list[Judgment])


class KeptPolicy:
    """A policy; ``who`` tells it from others in the same journal."""

    def __init__(self, policy: Policy, journal: Journal, who: str) -> None:
        self._policy, self._journal, self._who = policy, journal, who

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Answer]]:
        """As `Policy.sample`."""
        size = max(1, policies.CHUNK // samples)
        answers: list[list[Answer]] = []
        for number, start in enumerate(_batches(len(conversations), size, "sampling")):
            asked, own_seed = list(conversations[start : start + size]), seed + number
            draw = partial(self._policy.sample, asked, samples=samples, sampling=sampling, seed=own_seed)
            request = ["sample", self._who, asked, samples, sampling, own_seed]
            drawn = self._journal.kept(request, _ANSWERS, draw)
            answers += drawn
        return answers

    def fits(self, conversations: Sequence[Messages], new_tokens: int) -> list[bool]:
        """As `Policy.fits`."""
        return self._policy.fits(conversations, new_tokens)


class KeptPanel:
    """A panel; ``who`` tells it from others in the same journal."""

    def __init__(self, panel: Panel, journal: Journal, who: str) -> None:
        self._panel, self._journal, self._who = panel, journal, who

    def under(self, principle: str | None) -> "KeptJudge":
        """As `Panel.under`."""
        return KeptJudge(self._panel.under(principle), self._journal, f"{self._who} under {principle}")


class KeptJudge:
    """A judge of such a panel."""

    def __init__(self, judge: Judge, journal: Journal, who: str) -> None:
        self._judge, self._journal, self._who = judge, journal, who

    def verdicts(self, comparisons: Sequence[Comparison]) -> list[Judgment]:
        """As `Judge.verdicts`."""
        size = model_judge.CHUNK
        judgments: list[Judgment] = []
        for start in _batches(len(comparisons), size, "judging"):
            asked = list(comparisons[start : start + size])
            request = ["judge", self._who, asked]
            judged = self._journal.kept(request, _JUDGMENTS, partial(self._judge.verdicts, asked))
            judgments += judged
        return judgments


def _batches(items: int, size: int, what: str) -> "tqdm[int]":
    return tqdm(range(0, items, size), what, unit="batch", leave=False)
