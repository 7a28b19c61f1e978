"""From what was measured to figures with intervals, and to differences between models on the same instructions.

Values are arrays [runs, instructions]: runs are seeds of one kind of model. Intervals draw instructions anew, and runs
too where there are several, so that they say what another run on other instructions might give. Of one run alone they
can't say how much another would differ.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from selfjudge_training.data.checkable.ratings import rate
from selfjudge_training.evaluation.repetition import repetition
from selfjudge_training.evaluation.statistics import RESAMPLES, Estimate
from selfjudge_training.paper.measure import Judged
from selfjudge_training.tasks import Problem

Values = NDArray[np.float64]
"""[runs, instructions]"""

Score = Callable[[Problem, str], float]
"""What an answer is worth by itself."""


def stacked(runs: Sequence[Sequence[float]]) -> Values:
    """One row for each run."""
    return np.array(runs, dtype=np.float64)


def estimate(values: Values) -> Estimate:
    """The mean with its interval."""
    return _estimated(values.mean(), values.size, lambda rng: _redrawn(values, rng))


def difference(more: Values, less: Values) -> Estimate:
    """Mean of ``more`` less that of ``less``, on the same instructions, with its interval."""
    return combination([(1.0, more), (-1.0, less)])


def combination(terms: Sequence[tuple[float, Values]]) -> Estimate:
    """A weighted sum of means on the same instructions, with its interval; runs are drawn for each by itself."""
    size = terms[0][1].shape[1]

    def redrawn(rng: np.random.Generator) -> float:
        columns = rng.integers(size, size=size)
        return sum(weight * _redrawn(values[:, columns], rng, columns=False) for weight, values in terms)

    mean = sum(weight * float(values.mean()) for weight, values in terms)
    return _estimated(mean, size, redrawn)


def judge_accuracy(judged: Judged) -> list[float]:
    """For each prompt, the share of its pairs whose chosen response wins, a tie counting half."""
    return _by_prompt(judged, judged.points)


def judge_consistency(judged: Judged) -> list[float]:
    """For each prompt, the share of its pairs with the same winner in both orders."""
    return _by_prompt(judged, [float(one) for one in judged.consistent])


def win_rate(
    problems: Sequence[Problem], answers: Sequence[Sequence[str]], baseline: Sequence[Sequence[str]]
) -> list[float]:
    """For each question, how often its answers beat the baseline's in mean rating, a tie counting half."""
    return [
        fmean(_points(problem, text, theirs[number % len(theirs)]) for number, text in enumerate(texts))
        for problem, texts, theirs in zip(problems, answers, baseline, strict=True)
    ]


def mean_score(problems: Sequence[Problem], answers: Sequence[Sequence[str]], score: Score) -> list[float]:
    """For each question, the mean score of its answers."""
    return [fmean(score(problem, text) for text in texts) for problem, texts in zip(problems, answers, strict=True)]


def exact(problem: Problem, text: str) -> float:
    """1 for exactly the right answer."""
    return float(text == problem.answer)


@cache
def rating(problem: Problem, text: str) -> float:
    """From 1 to 5, the mean over all principles, as pairs on the whole are labelled (A.1)."""
    return fmean(note.rating for note in rate(problem, text).values())


def length(_: Problem, text: str) -> float:
    """In characters."""
    return float(len(text))


def repeated(_: Problem, text: str) -> float:
    """Share of repeated 4-grams of words."""
    return repetition(text)


def _points(problem: Problem, ours: str, theirs: str) -> float:
    lead = 0.0 if ours == theirs else rating(problem, ours) - rating(problem, theirs)
    return 0.5 if lead == 0 else float(lead > 0)


def _by_prompt(judged: Judged, values: Sequence[float]) -> list[float]:
    groups: dict[str, list[float]] = defaultdict(list)
    for prompt, value in zip(judged.prompts, values, strict=True):
        groups[prompt].append(value)
    return [fmean(group) for _, group in sorted(groups.items())]


def _redrawn(values: Values, rng: np.random.Generator, *, columns: bool = True) -> float:
    runs, size = values.shape
    drawn = values[rng.integers(runs, size=runs)]
    return float(drawn[:, rng.integers(size, size=size)].mean() if columns else drawn.mean())


def _estimated(mean: float, observations: int, redrawn: Callable[[np.random.Generator], float]) -> Estimate:
    rng = np.random.default_rng(0)
    low, high = np.quantile([redrawn(rng) for _ in range(RESAMPLES)], [0.025, 0.975])
    return Estimate(float(mean), float(low), float(high), observations)
