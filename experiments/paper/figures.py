"""Figures with intervals, differences between models on the same instructions, and what they say of a claim.

Values are arrays [runs, instructions]: runs are seeds of one kind of model. Intervals draw instructions anew, and runs
too where there are several, so that they say what another run on other instructions might give. Of one run alone they
can't say how much another would differ.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap  # type: ignore[import-untyped]  # it ships no py.typed
from selfjudge_training.evaluation.statistics import Estimate

from experiments.letters.tasks import Problem
from experiments.paper.measure import Judged, rating

Values = NDArray[np.float64]
"""[runs, instructions]"""


class Part(NamedTuple):
    """One inequality of a claim: an effect that it says is above 0."""

    what: str
    effect: Estimate

    @property
    def verdict(self) -> str:
        """What the 95% interval says."""
        if self.effect.low > 0:
            return "holds"
        return "reversed" if self.effect.high < 0 else "not shown"


class Claim(NamedTuple):
    """A claim of the paper; it holds where all of its parts do."""

    text: str
    parts: list[Part]

    @property
    def verdict(self) -> str:
        """In the words of the report."""
        verdicts = [part.verdict for part in self.parts]
        if set(verdicts) == {"holds"}:
            return "holds"
        if "reversed" in verdicts:
            return "does not hold" if set(verdicts) == {"reversed"} else "does not hold as a whole"
        return "not shown" if "holds" not in verdicts else "holds in part"


def estimate(*terms: tuple[float, Values]) -> Estimate:
    """A weighted sum of means on the same instructions, with its interval; runs are drawn for each by itself."""
    rng, size = np.random.default_rng(0), terms[0][1].shape[1]

    def redrawn(columns: NDArray[np.int64]) -> float:
        return sum(
            weight * float(values[rng.integers(len(values), size=len(values))][:, columns].mean())
            for weight, values in terms
        )

    drawn = bootstrap((np.arange(size),), redrawn, vectorized=False, n_resamples=1000, method="percentile", rng=1)
    mean = sum(weight * float(values.mean()) for weight, values in terms)
    return Estimate(mean, float(drawn.confidence_interval.low), float(drawn.confidence_interval.high), size)


def difference(more: Values, less: Values) -> Estimate:
    """Mean of ``more`` less that of ``less``, on the same instructions, with its interval."""
    return estimate((1.0, more), (-1.0, less))


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


def mean_score(
    problems: Sequence[Problem], answers: Sequence[Sequence[str]], score: Callable[[Problem, str], float]
) -> list[float]:
    """For each question, the mean score of its answers."""
    return [fmean(score(problem, text) for text in texts) for problem, texts in zip(problems, answers, strict=True)]


def exact(problem: Problem, text: str) -> float:
    """1 for exactly the right answer."""
    return float(text == problem.answer)


def _points(problem: Problem, ours: str, theirs: str) -> float:
    lead = 0.0 if ours == theirs else rating(problem, ours) - rating(problem, theirs)
    return 0.5 if lead == 0 else float(lead > 0)


def _by_prompt(judged: Judged, values: Sequence[float]) -> list[float]:
    groups: dict[str, list[float]] = defaultdict(list)
    for prompt, value in zip(judged.prompts, values, strict=True):
        groups[prompt].append(value)
    return [fmean(group) for _, group in sorted(groups.items())]
