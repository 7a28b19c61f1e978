"""The figures of one step of self-training, by the names that they have in metrics.jsonl and TensorBoard."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from selfjudge_training.self_training.learner import Learned
from selfjudge_training.self_training.preferences import Judged


def figures_of(judged: Sequence[Judged], learned: Learned) -> dict[str, float]:
    """Figures of what was sampled and judged, and, where there was a pair to learn from, of the update.

    `sampled/exact_match` stands there only where a program can check, `judge/position_consistency` only where the judge
    was asked.
    """
    pairs = sum(not pair.skipped for pair in judged)
    figures = {
        "pairs": float(pairs),
        "skipped/equal": fmean(pair.equal for pair in judged),
        "skipped/tie": fmean(pair.tie for pair in judged),
        "skipped/close": fmean(pair.close for pair in judged),
        "sampled/tokens": fmean(pair.tokens for pair in judged),
        **_mean("sampled/exact_match", (pair.exact for pair in judged)),
        **_mean("judge/position_consistency", (pair.consistent for pair in judged)),
    }
    figures["kl"] = learned.kl
    if pairs:
        figures |= {
            "loss": learned.loss,
            "reward/margin": learned.reward_margin,
            "reward/accuracy": learned.reward_accuracy,
            "gradient_norm": learned.gradient_norm,
        }
    return figures


def _mean(name: str, values: Iterable[float | None]) -> dict[str, float]:
    known = [value for value in values if value is not None]
    return {name: fmean(known)} if known else {}
