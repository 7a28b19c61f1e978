"""Self-rejection over N (figure 4): the winner of a tournament among N samples, measured as N grows.

One set of samples serves every N, in disjoint groups of N. Questions of several turns take part with their first: what
they ask later hangs on what was picked before. One that the context has no room for is answered by nothing at every N.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tqdm import tqdm

from selfjudge_training.evaluation.evaluation_config import SweepSection
from selfjudge_training.evaluation.judges.judgment import Judge
from selfjudge_training.evaluation.policy.contests import winners
from selfjudge_training.evaluation.policy.policies import Answer, Policy
from selfjudge_training.evaluation.policy.policy_figures import answer_figures, judge_outputs
from selfjudge_training.evaluation.policy.questions import Outputs, Question
from selfjudge_training.evaluation.statistics import Figures, rates
from selfjudge_training.rollouts.base import Sampling


class Sweep(NamedTuple):
    """By ascending N, the figures of what was picked, and the first group's pick for each question."""

    figures: dict[int, Figures]
    picks: dict[int, list[str]]


class Sweeper:
    """Samples once, then measures: ``own_judge`` judges the tournaments, ``judge`` compares picks with the baseline."""

    def __init__(self, policy: Policy, own_judge: Judge, judge: Judge, sampling: Sampling, seed: int) -> None:
        self._policy, self._own_judge, self._judge = policy, own_judge, judge
        self._sampling, self._seed = sampling, seed

    def run(self, plan: SweepSection, questions: Sequence[Question], baseline: Outputs | None) -> Sweep:
        """Measure every N; without a baseline, against one more sample of the policy: N = 1 is then half by design."""
        most = max(plan.sizes)
        asked = [question.first_turn for question in questions]
        samples = most + (baseline is None)
        drawn = self._policy.sample(asked, samples=samples, sampling=self._sampling, seed=self._seed)
        against = [group[-1].text for group in drawn] if baseline is None else baseline.texts
        sweep = Sweep({}, {})
        for size in tqdm(sorted(plan.sizes), "self-rejection", unit="N"):
            starts = range(0, most - size + 1, size)[: plan.groups]
            picked = [self._pick(questions, [answers[start : start + size] for answers in drawn]) for start in starts]
            sweep.figures[size] = self._figures(questions, picked, against)
            sweep.picks[size] = [answer.text for answer in picked[0]]
        return sweep

    def _pick(self, questions: Sequence[Question], groups: Sequence[Sequence[Answer]]) -> list[Answer]:
        """The winner of each question's group."""
        texts = [[answer.text for answer in group] for group in groups]
        best = winners(self._own_judge, [question.first_turn for question in questions], texts, self._seed)
        return [group[index] for group, index in zip(groups, best, strict=True)]

    def _figures(
        self, questions: Sequence[Question], picked: Sequence[Sequence[Answer]], against: Sequence[str]
    ) -> Figures:
        """The figures of one N; ``picked``: for each group of N, its winner for each question."""
        judgments = [
            judgment
            for answers in picked
            for judgment in judge_outputs(self._judge, questions, [answer.text for answer in answers], against)
        ]
        columns = {
            "win_rate": [judgment.points for judgment in judgments],
            "label_mass": [judgment.label_mass for judgment in judgments],
        }
        asked = [*questions] * len(picked)
        whole = answer_figures(asked, [answer for answers in picked for answer in answers])
        return rates(columns, [question.turns[0] for question in asked]) | whole
