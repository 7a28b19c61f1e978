"""Runs a selection: starts the samples, asks the judge as soon as there is something to ask, and stops at a deadline.

It joins a selection method (pure) with a coroutine that brings a candidate and with questions to a judge; what is asked
is not known here. When the caller is cancelled, so is all work.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import NamedTuple

from selfjudge import Record, Verdict
from selfjudge_service.best_of_n.judging.in_place import Scored
from selfjudge_service.best_of_n.judging.judge import Judged
from selfjudge_service.best_of_n.sampler import SampleError
from selfjudge_service.best_of_n.selecting.asking import Asking
from selfjudge_service.observability import metrics
from selfjudge_service.protocol.errors import NotFiniteError
from selfjudge_service.tasks import task_group

Bring = Callable[[int], Awaitable[str]]
Progress = Callable[[dict[str, int]], None]


class SelectionResult(NamedTuple):
    """How a selection went.

    `ranking` has the candidates that the method ranks, best first: those to be returned, or fewer where too many
    failed, and maybe more. Candidates whose text never came are in `failures` (why) or, at a deadline, in neither
    `texts` nor `failures`. Matches are in `records`, `judged` and `verdicts`, scores in `scored` (reads that were made)
    and `scores` (by candidate); `unreadable` counts questions to the judge that gave no answer.
    """

    ranking: list[int]
    texts: dict[int, str]
    failures: dict[int, SampleError]
    deadline_reached: bool
    records: list[Record]
    judged: list[Judged]
    verdicts: dict[tuple[int, int], Verdict]
    scored: list[Scored]
    scores: Mapping[int, float]
    unreadable: int = 0


class _Run:
    def __init__(self, asking: Asking, bring: Bring, progress: Progress | None) -> None:
        self._asking = asking
        self._bring = bring
        self._progress = progress
        self.failures: dict[int, SampleError] = {}

    async def run(self) -> None:
        with self._asking.tracing():
            async with task_group() as group:
                for candidate in range(self._asking.method.n):
                    group.create_task(self._candidate(candidate, group))

    async def _candidate(self, candidate: int, group: asyncio.TaskGroup) -> None:
        try:
            text = await self._bring(candidate)
        except SampleError as failure:
            self.failures[candidate] = failure
            self._asking.method.fail(candidate)
        else:
            self._asking.arrive(candidate, text)
        self._ask_what_is_ready(group)

    def _ask_what_is_ready(self, group: asyncio.TaskGroup) -> None:
        for question in self._asking.ready():
            group.create_task(self._ask(question, group))
        if self._progress:
            self._progress({"candidates": len(self._asking.texts), **self._asking.counts()})

    async def _ask(self, question: Coroutine[None, None, None], group: asyncio.TaskGroup) -> None:
        await question
        self._ask_what_is_ready(group)


async def run_selection(
    asking: Asking,
    bring: Bring,
    *,
    deadline_seconds: float | None = None,
    progress: Progress | None = None,
) -> SelectionResult:
    """Runs a selection to its end, or to the deadline.

    Args:
        asking: fresh, of a method without an arrival.
        bring: awaited once per candidate; raises `SampleError` where one can't be had.
        deadline_seconds: time after which the work under way is cancelled and the best so far is returned.
        progress: called with counts of finished candidates and answered questions whenever they change.

    Returns:
        How it went; `ranking` is empty where no candidate could be had in time.

    Raises:
        NotFiniteError: if nothing that was asked could be read.
    """
    run, method = _Run(asking, bring, progress), asking.method
    started = time.monotonic()
    limit, cut = asyncio.timeout(deadline_seconds), False
    try:
        async with limit:
            await run.run()
    except TimeoutError:
        if not limit.expired():
            raise
        # Its last step may have been done in the very moment.
        cut = not method.done
    if cut:
        metrics.DEADLINES.inc()
    if asking.unreadable and not (asking.judged or asking.scored):
        raise NotFiniteError("the judge's log-probabilities")
    metrics.TOURNAMENT_SECONDS.observe(time.monotonic() - started)
    return SelectionResult(
        method.ranked(),
        asking.texts,
        run.failures,
        cut,
        asking.records(),
        asking.judged,
        asking.verdicts,
        asking.scored,
        asking.scores(),
        asking.unreadable,
    )
