"""Samples the candidates of a plan, judges them, and returns the best."""

import asyncio
import time
from collections.abc import Mapping

from selfjudge import BestScore, Comparison, Tournament
from selfjudge_service.best_of_n.judging.fitness import match_warnings, score_warnings
from selfjudge_service.best_of_n.judging.in_place import InPlacePanel, Scored
from selfjudge_service.best_of_n.judging.judge import Judged, Panel
from selfjudge_service.best_of_n.plan import Plan, Shared
from selfjudge_service.best_of_n.response import Selection
from selfjudge_service.best_of_n.sampler import Sampled, SampledTokens, SampleError
from selfjudge_service.best_of_n.selecting.asking import Asking
from selfjudge_service.best_of_n.selecting.matches import Matches
from selfjudge_service.best_of_n.selecting.run import Progress, SelectionResult, run_selection
from selfjudge_service.best_of_n.selecting.scores import Scores
from selfjudge_service.observability import metrics
from selfjudge_service.observability.tracing import mark, span
from selfjudge_service.protocol.errors import DeadlineError


async def select(plan: Plan, shared: Shared, progress: Progress | None = None) -> Selection:
    """Samples, judges, and returns the best.

    Raises:
        SampleError: if no candidate could be sampled.
        DeadlineError: if none was finished in time.
        NotFiniteError: if no comparison could be read.
    """
    sampled: dict[int, Sampled] = {}
    broken: dict[int, str] = {}
    candidates = metrics.Candidates(plan.best_of_n)
    asking = _asking(plan, shared, sampled)

    async def bring(candidate: int) -> str:
        try:
            with span("sample", {"candidate": candidate}) as traced, metrics.working("sampling"):
                one = sampled[candidate] = await shared.sampler.sample(
                    plan.request, candidate, plan.request_id, with_tokens=plan.method == "score"
                )
                mark(traced, tokens=one.response.usage.completion_tokens or 0)
        except SampleError:
            candidates.ended("failed")
            raise
        candidates.ended("ok")
        if plan.constraint and (why := await asyncio.to_thread(plan.constraint.why_broken, one.response.choices[0])):
            broken[candidate] = why
            asking.method.demote(candidate)
            metrics.BROKEN_CONSTRAINTS.inc()
        return one.text

    metrics.BEST_OF_N.observe(plan.best_of_n)
    milliseconds = plan.options.deadline_ms
    with candidates:
        result = await run_selection(
            asking,
            bring,
            deadline_seconds=None if milliseconds is None else plan.arrived + milliseconds / 1000 - time.monotonic(),
            progress=progress,
        )
    if not result.ranking:
        if result.deadline_reached:
            message = f"no candidate was finished within deadline_ms={milliseconds}; give more time or fewer max_tokens"
            raise DeadlineError(message, "self_rejection.deadline_ms")
        raise next(iter(result.failures.values()))
    _observe(result, sampled, plan)
    warnings = [*plan.warnings, *_fitness_warnings(result, plan.panel)]
    if plan.constraint and result.ranking[0] in broken:
        asked = plan.constraint.field
        warnings.append(f"no candidate that was finished keeps what {asked} asks for; see constraint_broken")
    return Selection(
        plan.head,
        plan.options,
        plan.best_of_n,
        plan.top,
        plan.seed,
        plan.method,
        plan.panel,
        result,
        sampled,
        broken,
        warnings,
    )


def _asking(plan: Plan, shared: Shared, sampled: Mapping[int, Sampled]) -> Asking:
    if isinstance(panel := plan.panel, InPlacePanel):

        async def score(tokens: SampledTokens) -> Scored:
            with metrics.working("judging"):
                return await shared.judge.in_place.score(panel, *tokens)

        return Scores(BestScore(plan.best_of_n, seed=plan.seed, top=plan.top), sampled, score)

    async def compare(first: str, second: str) -> Judged:
        with metrics.working("judging"):
            return await shared.judge.compare(panel, Comparison(plan.conversation, first, second))

    return Matches(Tournament(plan.best_of_n, seed=plan.seed, top=plan.top), compare)


def _fitness_warnings(result: SelectionResult, panel: Panel | InPlacePanel) -> list[str]:
    if isinstance(panel, InPlacePanel):
        return score_warnings(result.scored, result.unreadable, panel.encoder.template.labels)
    return match_warnings(result.judged, result.unreadable)


def _observe(result: SelectionResult, sampled: Mapping[int, Sampled], plan: Plan) -> None:
    returned = result.ranking[: plan.top]
    for candidate, one in sampled.items():
        fate = "returned" if candidate in returned else "rejected"
        tokens = one.response.usage.completion_tokens or 0
        metrics.SAMPLED_TOKENS.labels(fate).inc(tokens)
        metrics.WORK_TOKENS.labels("sampling").inc(tokens)
    judged: list[Judged | Scored] = [*result.judged, *result.scored]
    computed = sum(one.prompt_tokens - one.cached_tokens for one in judged)
    metrics.WORK_TOKENS.labels("judging").inc(computed)
    rounds = (plan.best_of_n - 1).bit_length()
    for record in result.records:
        # At a deadline, or where half of a bracket failed, no final was played.
        if record.place == 1 and record.round == rounds and record.probability_a is not None:
            lead = record.probability_a
            metrics.WINNER_MARGIN.observe(lead if record.winner == record.first else 1 - lead)
