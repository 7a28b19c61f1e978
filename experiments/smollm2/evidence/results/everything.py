"""All figures of what has been measured, drawn from the kept rows."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from selfjudge_training.evaluation.statistics import Estimate

from experiments.smollm2.evidence.cells.bench import Bench
from experiments.smollm2.evidence.cells.likelihood import Likelihood
from experiments.smollm2.evidence.evidence_plan import BASE, JM, EvidencePlan, Form
from experiments.smollm2.evidence.kept import read_kept
from experiments.smollm2.evidence.results.curves import less, means
from experiments.smollm2.evidence.results.ifeval_figures import Benchmarked, Scored, benchmarked, score_ifeval
from experiments.smollm2.evidence.results.judging_figures import Judged, judged_llmbar, judged_within_prompts
from experiments.smollm2.evidence.results.picking_figures import Picking, contests_of, picking_of
from experiments.smollm2.evidence.results.policy_figures import Shares, Swap, shares_of, swap_of

Found = TypeVar("Found")


class Weighed(NamedTuple):
    """How likely one model finds LLMBar's better outputs."""

    nats: Estimate
    """For a token."""
    over_base: Estimate | None
    """More than the base, a mean over outputs."""


class Everything(NamedTuple):
    """By model, what was measured of it; what was not is not there."""

    judges: dict[str, dict[Form, Judged]]
    shares: dict[str, Shares]
    picking: dict[str, Picking]
    contests: dict[str, Picking]
    ifeval: dict[str, dict[int, Benchmarked]]
    """By N."""
    best_of_over_one: dict[str, Estimate]
    """IFEval, prompt, strict: the best of 8 less one answer."""
    llmbar: dict[str, dict[Form, Judged]]
    weighed: dict[str, Weighed]
    swap: Swap | None


def read_everything(plan: EvidencePlan, root: Path) -> Everything:
    """From the folder of all that is kept."""
    benches = {name: Bench(plan, root, name) for name in plan.models}
    scored = _of_each(benches, score_ifeval)
    base = scored.get(BASE, {}).get(1)
    return Everything(
        judges=_of_each(benches, judged_within_prompts),
        shares=_of_each(benches, shares_of),
        picking=_of_each(benches, picking_of),
        contests=_of_each(benches, contests_of),
        ifeval={name: _ifeval(name, found, base) for name, found in scored.items()},
        best_of_over_one={
            name: less(best.prompt_strict, found[1].prompt_strict)
            for name, found in scored.items()
            for size, best in found.items()
            if size > 1
        },
        llmbar=_of_each(benches, judged_llmbar),
        weighed=_weighed(benches),
        swap=swap_of(benches[JM]),
    )


def _of_each(benches: Mapping[str, Bench], measured: Callable[[Bench], Found | None]) -> dict[str, Found]:
    """Of the models that there is something of."""
    found = {name: measured(bench) for name, bench in benches.items()}
    return {name: one for name, one in found.items() if one}


def _ifeval(name: str, found: dict[int, Scored], base: Scored | None) -> dict[int, Benchmarked]:
    """The base at N = 1 is what all others are held against."""
    return {size: benchmarked(scored, None if (name, size) == (BASE, 1) else base) for size, scored in found.items()}


def _weighed(benches: dict[str, Bench]) -> dict[str, Weighed]:
    rows = {name: read_kept(bench.file("llmbar-likelihoods"), Likelihood) for name, bench in benches.items()}
    nats = {name: {key: -row.logprobs[0] / row.tokens[0] for key, row in found.items()} for name, found in rows.items()}
    found = {}
    for name, row in rows.items():
        if not row:
            continue
        total = means([-one.logprobs[0] for one in row.values()], [float(one.tokens[0]) for one in row.values()])
        keys = [key for key in row if key in nats[BASE]]
        over = less([nats[name][key] for key in keys], [nats[BASE][key] for key in keys]) if keys else None
        found[name] = Weighed(total(lambda mean: float(mean[0] / mean[1])), None if name == BASE else over)
    return found
