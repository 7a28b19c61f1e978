"""Self-rejection over N (figure 4): the winner of a tournament among N samples, measured as N grows.

One set of samples serves every N, in disjoint groups of N. Questions of several turns take part with their first: what
they ask later hangs on what was picked before. One that the context has no room for is answered by nothing at every N.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tqdm import tqdm

from selfjudge_training.evaluation.evaluation_config import SweepSection
from selfjudge_training.evaluation.judges import Judge
from selfjudge_training.evaluation.policies import Policy
from selfjudge_training.evaluation.policy.contests import winners
from selfjudge_training.evaluation.policy.policy_report import answer_figures, compare
from selfjudge_training.evaluation.policy.questions import Outputs, Question
from selfjudge_training.evaluation.statistics import Figures, rates
from selfjudge_training.rollouts.base import Sampling


class Sweep(NamedTuple):
    """By ascending N, the figures of what was picked, and the first group's pick for each question."""

    figures: dict[int, Figures]
    picks: dict[int, list[str]]


def run_sweep(
    plan: SweepSection,
    policy: Policy,
    own_judge: Judge,
    judge: Judge,
    questions: Sequence[Question],
    baseline: Outputs | None,
    sampling: Sampling,
    seed: int,
) -> Sweep:
    """Sample once, then measure: ``own_judge`` judges the tournaments, ``judge`` compares picks with the baseline.

    Without a baseline they meet one more sample of the policy: N = 1 is then half by design.
    """
    most, asked = max(plan.sizes), [question.first_turn for question in questions]
    drawn = policy(asked, most + (baseline is None), sampling, seed)
    against = [group[-1].text for group in drawn] if baseline is None else baseline.texts
    sweep = Sweep({}, {})
    for size in tqdm(sorted(plan.sizes), "self-rejection", unit="N"):
        picked, judgments = [], []
        for start in range(0, most - size + 1, size)[: plan.groups]:
            groups = [answers[start : start + size] for answers in drawn]
            best = winners(own_judge, asked, [[answer.text for answer in group] for group in groups], seed)
            own = [group[index] for group, index in zip(groups, best, strict=True)]
            judgments += compare(judge, questions, [answer.text for answer in own], against)
            sweep.picks.setdefault(size, [answer.text for answer in own])
            picked += own
        columns = {
            "win_rate": [judgment.points for judgment in judgments],
            "label_mass": [judgment.label_mass for judgment in judgments],
        }
        measured = list(questions) * (len(picked) // len(questions))
        prompts = [question.turns[0] for question in measured]
        sweep.figures[size] = rates(columns, prompts) | answer_figures(measured, picked)
    return sweep
