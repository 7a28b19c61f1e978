"""Self-rejection over N (figure 4): the winner of a tournament among N samples, measured as N grows.

One set of samples serves every N, in disjoint groups of N. Questions of several turns take part with their first: what
they ask later hangs on what was picked before. One that the context has no room for is answered by nothing at every N.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tqdm import tqdm

from selfjudge_training.evaluation.judges.judgment import Judge
from selfjudge_training.evaluation.policy.contests import winners
from selfjudge_training.evaluation.policy.policies import Answer, Policy
from selfjudge_training.evaluation.policy.policy_figures import first_turn, judge_outputs, repetition
from selfjudge_training.evaluation.policy.questions import Outputs, Question
from selfjudge_training.evaluation.statistics import Estimate, mean, rate
from selfjudge_training.rollouts.base import Sampling


class Point(NamedTuple):
    """The picks at one N, with 95% intervals over questions."""

    n: int
    win_rate: Estimate
    """Against the baseline, a tie counting half."""
    label_mass: Estimate
    length: Estimate
    """In characters."""
    repetition: Estimate
    exact_match: Estimate | None
    """Where every answer is known."""
    unfinished: Estimate
    """Share of picks that the limit of new tokens cut off, and of questions that were too long to be asked."""


class Sweep(NamedTuple):
    """Points by ascending N, and what was picked at each: the first group's pick for each question."""

    points: list[Point]
    picks: dict[int, list[str]]


class Plan(NamedTuple):
    """What is measured."""

    sizes: Sequence[int]
    groups: int
    """Groups of N that are measured per question, where the samples give so many: narrower intervals for more cost."""
    sampling: Sampling
    seed: int


class Sweeper:
    """Samples once, then measures: ``own_judge`` judges the tournaments, ``judge`` compares picks with the baseline."""

    def __init__(self, policy: Policy, own_judge: Judge, judge: Judge, plan: Plan) -> None:
        self._policy, self._own_judge, self._judge, self._plan = policy, own_judge, judge, plan

    def run(self, questions: Sequence[Question], baseline: Outputs | None) -> Sweep:
        """Measure every N; without a baseline, against one more sample of the policy: N = 1 is then half by design."""
        most = max(self._plan.sizes)
        conversations = [first_turn(question) for question in questions]
        samples = most + (baseline is None)
        drawn = self._policy.sample(conversations, samples=samples, sampling=self._plan.sampling, seed=self._plan.seed)
        against = [group[-1].text for group in drawn] if baseline is None else baseline.texts
        points, picks = [], {}
        for size in tqdm(sorted(self._plan.sizes), "self-rejection", unit="N"):
            picked = [
                self._pick(questions, [answers[start : start + size] for answers in drawn])
                for start in range(0, most - size + 1, size)[: self._plan.groups]
            ]
            points.append(self._point(size, questions, picked, against))
            picks[size] = [answer.text for answer in picked[0]]
        return Sweep(points, picks)

    def _pick(self, questions: Sequence[Question], groups: Sequence[Sequence[Answer]]) -> list[Answer]:
        """The winner of each question's group."""
        texts = [[answer.text for answer in group] for group in groups]
        conversations = [first_turn(question) for question in questions]
        best = winners(self._own_judge, conversations, texts, self._plan.seed)
        return [group[index] for group, index in zip(groups, best, strict=True)]

    def _point(
        self, size: int, questions: Sequence[Question], picked: Sequence[Sequence[Answer]], baseline: Sequence[str]
    ) -> Point:
        """The figures of one N; ``picked``: for each group of N, its winner for each question."""
        numbers = [number for _ in picked for number in range(len(questions))]
        answers = [answer for group in picked for answer in group]
        judgments = [
            judgment
            for group in picked
            for judgment in judge_outputs(self._judge, questions, [answer.text for answer in group], baseline)
        ]
        key = [questions[number].answer for number in numbers]
        right = [float(answer.text == known) for answer, known in zip(answers, key, strict=True)]
        return Point(
            n=size,
            win_rate=rate([judgment.points for judgment in judgments], numbers),
            label_mass=rate([judgment.label_mass for judgment in judgments], numbers),
            length=mean([float(len(answer.text)) for answer in answers], numbers),
            repetition=mean([repetition(answer.text) for answer in answers], numbers),
            exact_match=None if None in key else rate(right, numbers),
            unfinished=rate([float(not answer.finished) for answer in answers], numbers),
        )
