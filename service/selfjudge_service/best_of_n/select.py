"""One best-of-N chat request from validated options to its winner: what to sample, what to judge by, and doing it."""

import asyncio
import re
import time
from typing import NamedTuple

from vllm.lora.request import LoRARequest

from selfjudge import Comparison, ConversationError, Message, Tournament
from selfjudge_service.best_of_n.by_default import selects_by_default
from selfjudge_service.best_of_n.constraints import AskedForm, asked_form
from selfjudge_service.best_of_n.equal_candidates import why_equal
from selfjudge_service.best_of_n.judging.fitness import fitness_warnings
from selfjudge_service.best_of_n.judging.judge import Judged, Panel
from selfjudge_service.best_of_n.judging.label_reads import JUDGE_PRIORITY
from selfjudge_service.best_of_n.prefill import judged_conversation
from selfjudge_service.best_of_n.response import Head, Selection
from selfjudge_service.best_of_n.run import Held, Progress, hold
from selfjudge_service.best_of_n.sampler import Sampled, SampleError
from selfjudge_service.best_of_n.seeds import bracket_seed
from selfjudge_service.observability import metrics
from selfjudge_service.observability.request_context import engine_id
from selfjudge_service.observability.spans import span
from selfjudge_service.protocol.errors import ApiError, DeadlineError, InvalidFieldError
from selfjudge_service.protocol.misplaced_fields import BEST_OF_N_HEADER
from selfjudge_service.protocol.requests import ChatRequest, SelfRejection
from selfjudge_service.state import SelfJudgeState

_INTEGER = re.compile(r"\s*[0-9]{1,9}\s*")


class Plan(NamedTuple):
    """A request that has been found fit to run."""

    request: ChatRequest
    options: SelfRejection
    best_of_n: int
    """Candidates to sample."""
    top: int
    seed: int
    panel: Panel
    conversation: list[Message]
    form: AskedForm | None
    warnings: list[str]
    arrived: float
    """When the request came, by the monotonic clock; its deadline counts from there."""
    request_id: str
    """Names its work in the engine."""
    head: Head


def wanted_best_of_n(request: ChatRequest, header: str | None, state: SelfJudgeState) -> int:
    """How many candidates to sample: the body's `best_of_n`, else the header's, else the server's default.

    The default is 1 for requests that it is not for (by_default.py).

    Raises:
        InvalidFieldError: unless it is an integer within the limit, and `n` one from 1 to it.
        ApiError: if it is 1 and the request has options of a tournament.
    """
    best_of_n = _asked_or_default(request, header, state)
    if best_of_n == 1 and request.self_rejection:
        raise ApiError("self_rejection: has no effect without selection: set best_of_n to 2 or more", "self_rejection")
    return best_of_n


def _asked_or_default(request: ChatRequest, header: str | None, state: SelfJudgeState) -> int:
    limit, choices = state.settings.max_best_of_n, 1 if request.n is None else request.n
    field, wanted = "best_of_n", request.best_of_n
    if wanted is None and header is not None:
        field, wanted = BEST_OF_N_HEADER, int(header) if _INTEGER.fullmatch(header) else 0
    if wanted is None:
        default = state.settings.default_best_of_n
        return default if default > 1 and selects_by_default(request, state) else 1
    if not 1 <= wanted <= limit:
        raise InvalidFieldError(
            field, f"must be an integer from 1 to {limit}", header if field == BEST_OF_N_HEADER else wanted
        )
    if not 1 <= choices <= wanted:
        raise InvalidFieldError("n", f"must be an integer from 1 to {field}, which is {wanted}", choices)
    return wanted


def candidates_needed(request: ChatRequest, best_of_n: int, state: SelfJudgeState) -> int:
    """How many of `best_of_n` to sample: where all would be equal, as many as are returned."""
    return request.n or 1 if why_equal(request, state.sampling_defaults) else best_of_n


def plan(request: ChatRequest, best_of_n: int, lora: LoRARequest | None, state: SelfJudgeState, arrived: float) -> Plan:
    """Checks everything that can be checked before tokens are spent.

    Raises:
        ApiError: naming what is wrong.
    """
    if request.use_beam_search:
        raise InvalidFieldError("use_beam_search", "must be off with best_of_n: candidates are samples", True)
    options = request.self_rejection or SelfRejection()
    try:
        panel = state.judge.panel(options, lora, chat_template_kwargs=request.chat_template_kwargs)
    except ApiError as error:
        raise error if error.param == "chat_template_kwargs" else error.inside("self_rejection") from error
    panel = panel._replace(cache_salt=request.cache_salt, priority=JUDGE_PRIORITY)
    try:
        conversation = judged_conversation(request)
        panel.encoders[0].check(conversation)
    except ConversationError as error:
        raise ApiError(f"messages can't be judged: {error}", "messages") from error
    request_id = engine_id()
    return Plan(
        request,
        options,
        candidates_needed(request, best_of_n, state),
        request.n or 1,
        bracket_seed(options.seed, request.seed),
        panel,
        conversation,
        asked_form(request),
        _warnings(request, best_of_n, state),
        arrived,
        request_id,
        Head(f"chatcmpl-{request_id}", int(time.time()), lora.lora_name if lora else state.base_model),
    )


def _warnings(request: ChatRequest, best_of_n: int, state: SelfJudgeState) -> list[str]:
    if why := why_equal(request, state.sampling_defaults):
        return [f"{why}: all candidates would be equal, so that no more are sampled than are returned, not {best_of_n}"]
    return []


async def select(plan: Plan, state: SelfJudgeState, progress: Progress | None = None) -> Selection:
    """Samples, judges, and returns the best.

    Raises:
        SampleError: if no candidate could be sampled.
        DeadlineError: if none was finished in time.
        NotFiniteError: if no comparison could be read.
    """
    sampled: dict[int, Sampled] = {}
    broken: dict[int, str] = {}
    candidates = metrics.Candidates(plan.best_of_n)

    async def bring(candidate: int) -> str:
        try:
            with span("sample", candidate=candidate) as traced, metrics.working("sampling"):
                one = sampled[candidate] = await state.sampler.sample(plan.request, candidate, plan.request_id)
                traced.set(tokens=one.response.usage.completion_tokens or 0)
        except SampleError:
            candidates.ended("failed")
            raise
        candidates.ended("ok")
        if plan.form and (why := await asyncio.to_thread(plan.form.why_broken, one.response.choices[0])):
            broken[candidate] = why
            tournament.demote(candidate)
            metrics.BROKEN_CONSTRAINTS.inc()
        return one.text

    async def compare(first: str, second: str) -> Judged:
        with metrics.working("judging"):
            return await state.judge.compare(plan.panel, Comparison(plan.conversation, first, second))

    metrics.BEST_OF_N.observe(plan.best_of_n)
    milliseconds = plan.options.deadline_ms
    tournament = Tournament(plan.best_of_n, seed=plan.seed, top=plan.top)
    with candidates:
        held = await hold(
            tournament,
            bring,
            compare,
            deadline_seconds=None if milliseconds is None else plan.arrived + milliseconds / 1000 - time.monotonic(),
            progress=progress,
        )
    if not held.ranking:
        if held.deadline_reached:
            message = f"no candidate was finished within deadline_ms={milliseconds}; give more time or fewer max_tokens"
            raise DeadlineError(message, "self_rejection.deadline_ms")
        raise next(iter(held.failures.values()))
    _observe(held, sampled, tournament.rounds)
    warnings = [*plan.warnings, *fitness_warnings(held.judged, held.unreadable)]
    if plan.form and held.ranking[0] in broken:
        warnings.append(f"no candidate that was finished keeps what {plan.form.field} asks for; see constraint_broken")
    return Selection(plan.head, plan.options, plan.best_of_n, plan.seed, plan.panel, held, sampled, broken, warnings)


def _observe(held: Held, sampled: dict[int, Sampled], rounds: int) -> None:
    for candidate, one in sampled.items():
        fate = "returned" if candidate in held.ranking else "rejected"
        tokens = one.response.usage.completion_tokens or 0
        metrics.SAMPLED_TOKENS.labels(fate).inc(tokens)
        metrics.WORK_TOKENS.labels("sampling").inc(tokens)
    metrics.WORK_TOKENS.labels("judging").inc(sum(one.prompt_tokens - one.cached_tokens for one in held.judged))
    for record in held.records:
        # At a deadline, or where half of a bracket failed, no final was held.
        if record.place == 1 and record.round == rounds and record.probability_a is not None:
            lead = record.probability_a
            metrics.WINNER_MARGIN.observe(lead if record.winner == record.first else 1 - lead)
