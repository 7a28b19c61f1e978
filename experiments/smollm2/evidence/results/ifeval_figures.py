"""IFEval in figures: strict and loose, by prompt and by instruction, for one answer and for the best of several."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from selfjudge_training.evaluation.statistics import Estimate, Floats

from experiments.smollm2.evidence.cells.bench import Bench, Sampled, best_index
from experiments.smollm2.evidence.cells.benchmark import Followed, follow, load_prompts, round_file
from experiments.smollm2.evidence.kept import read_kept
from experiments.smollm2.evidence.results.curves import less, means

BEST_OF = 8


class Scored(NamedTuple):
    """An entry for each prompt: means over answers."""

    answers: int
    """To each prompt."""
    keys: list[str]
    prompt_strict: list[float]
    """Whether all instructions are followed."""
    prompt_loose: list[float]
    instruction_strict: list[float]
    """How many instructions are followed."""
    instruction_loose: list[float]
    instructions: list[float]
    """How many there are."""


class Benchmarked(NamedTuple):
    """One policy at one N."""

    prompts: int
    answers: int
    """To each prompt."""
    prompt_strict: Estimate
    prompt_loose: Estimate
    instruction_strict: Estimate
    instruction_loose: Estimate
    over_base: Estimate | None
    """Prompt, strict, less the base's at N = 1 on the same prompts."""


def score_ifeval(bench: Bench) -> dict[int, Scored]:
    """By N: 1, as the mean over all answers, and `BEST_OF`, picked by the score in place; what is there."""
    rounds = [read_kept(round_file(bench, number), Sampled) for number in range(bench.model.ifeval)]
    rounds = [rows for rows in rounds if rows]
    if not rounds:
        return {}
    prompts = load_prompts(bench.plan.ifeval)
    keys = [key for key in prompts if all(key in rows for rows in rounds)]
    if not keys:
        return {}
    followed = {key: follow(prompts[key], [text for rows in rounds for text in rows[key].texts]) for key in keys}
    found = {1: _scored(keys, [followed[key] for key in keys])}
    if len(followed[keys[0]]) == BEST_OF:
        best = {key: best_index([score for rows in rounds for score in rows[key].scores]) for key in keys}
        found[BEST_OF] = _scored(keys, [[followed[key][best[key]]] for key in keys])
    return found


def benchmarked(scored: Scored, base: Scored | None) -> Benchmarked:
    """With intervals over prompts."""
    return Benchmarked(
        len(scored.keys),
        scored.answers,
        means(scored.prompt_strict)(_mean),
        means(scored.prompt_loose)(_mean),
        means(scored.instruction_strict, scored.instructions)(_share),
        means(scored.instruction_loose, scored.instructions)(_share),
        _over(scored, base) if base else None,
    )


def _mean(means: Floats) -> float:
    return float(means[0])


def _share(means: Floats) -> float:
    return float(means[0] / means[1])


def _over(scored: Scored, base: Scored) -> Estimate | None:
    theirs = dict(zip(base.keys, base.prompt_strict, strict=True))
    rows = [(own, theirs[key]) for key, own in zip(scored.keys, scored.prompt_strict, strict=True) if key in theirs]
    return less([own for own, _ in rows], [other for _, other in rows]) if rows else None


def _scored(keys: list[str], followed: Sequence[Sequence[Followed]]) -> Scored:
    def mean_of(side: str, *, whole: bool) -> list[float]:
        count: Callable[[list[bool]], float] = all if whole else sum
        return [float(np.mean([count(getattr(one, side)) for one in of_one])) for of_one in followed]

    return Scored(
        len(followed[0]),
        keys,
        mean_of("strict", whole=True),
        mean_of("loose", whole=True),
        mean_of("strict", whole=False),
        mean_of("loose", whole=False),
        [float(len(of_one[0].strict)) for of_one in followed],
    )
