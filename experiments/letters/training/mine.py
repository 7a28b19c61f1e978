"""Hard pairs: the model's own wrong answers, those that fool its own judgment weighted up.

A knockout tournament fails where one wrong answer beats the right one, so that is what is looked for: each wrong sample
is judged against the right answer, and the surer the judge is of the wrong one, the more often the pair is trained on.
"""

from collections.abc import Sequence

from selfjudge_training.rollouts.judge import Judge

from experiments.letters.preferences.pairs import Pool
from selfjudge import Comparison


def weigh_up(judge: Judge, pools: Sequence[Pool], emphasis: float) -> tuple[list[Pool], float]:
    """Multiply each rejected answer's weight by 1 + ``emphasis`` * P(the judge prefers it to the right one).

    Returns the pools and the judge's accuracy on these pairs, each answer counting once.
    """
    pairs = [
        Comparison(pool.problem.prompt, pool.problem.answer, rejected.text)
        for pool in pools
        for rejected in pool.rejected
    ]
    verdicts = judge.verdicts(pairs)
    fooled = iter([1 - verdict.probability_a for verdict in verdicts])
    weighed = [
        pool._replace(
            rejected=tuple(
                rejected._replace(weight=rejected.weight * (1 + emphasis * next(fooled))) for rejected in pool.rejected
            )
        )
        for pool in pools
    ]
    return weighed, sum(verdict.winner == "A" for verdict in verdicts) / max(1, len(verdicts))
