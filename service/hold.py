"""Holds a tournament: starts the samples, each match as soon as both of its sides are there, and stops at a deadline.

It joins the bracket (pure) with two coroutines that do the work, one that brings a candidate's text and one that
compares two texts; where texts and verdicts come from is not known here. Two equal texts need no judgment, and two
texts that met before, as other candidates or the other way round, need no second one. When the caller is cancelled, so
is all work.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from selfjudge import Match, Record, Tournament, Verdict
from service import metrics
from service.judge import Judged
from service.sampling import SampleError
from service.tasks import task_group
from service.telemetry.spans import rounds

Bring = Callable[[int], Awaitable[str]]
Compare = Callable[[str, str], Awaitable[Judged]]
Progress = Callable[[dict[str, int]], None]


class Held(NamedTuple):
    """How a tournament went.

    `ranking` has the best candidates in order: `top` of them, or fewer where too many failed. Candidates whose text
    never came are in `failures` (why) or, at a deadline, in neither `texts` nor `failures`. `judged` are the judgments
    that were made, `verdicts` those of each match by its two candidates, made for it or repeated.
    """

    ranking: list[int]
    records: list[Record]
    texts: dict[int, str]
    failures: dict[int, SampleError]
    judged: list[Judged]
    deadline_reached: bool
    verdicts: dict[tuple[int, int], Verdict]


class _Holder:
    def __init__(self, tournament: Tournament, bring: Bring, compare: Compare, progress: Progress | None) -> None:
        self._tournament = tournament
        self._bring = bring
        self._compare = compare
        self._progress = progress
        self.texts: dict[int, str] = {}
        self.failures: dict[int, SampleError] = {}
        self.judged: list[Judged] = []
        self.verdicts: dict[tuple[int, int], Verdict] = {}
        self._known: dict[tuple[str, str], asyncio.Future[Verdict]] = {}

    async def run(self) -> None:
        with rounds() as self._rounds:
            async with task_group() as group:
                for candidate in range(self._tournament.n):
                    group.create_task(self._candidate(candidate, group))

    async def _candidate(self, candidate: int, group: asyncio.TaskGroup) -> None:
        try:
            self.texts[candidate] = await self._bring(candidate)
        except SampleError as failure:
            self.failures[candidate] = failure
            self._tournament.fail(candidate)
        else:
            self._tournament.arrive(candidate)
        self._start_matches(group)

    def _start_matches(self, group: asyncio.TaskGroup) -> None:
        while matches := self._tournament.ready():
            for match in matches:
                if self.texts[match.first] == self.texts[match.second]:
                    metrics.DUPLICATES.labels("identical").inc()
                    self._tournament.report(match, "tie", 0.5, "identical")
                else:
                    group.create_task(self._match(match, group))
        if self._progress:
            self._progress({"candidates": len(self.texts), "matches": len(self.judged)})

    async def _match(self, match: Match, group: asyncio.TaskGroup) -> None:
        first, second = self.texts[match.first], self.texts[match.second]
        if (first, second) in self._known or (second, first) in self._known:
            metrics.DUPLICATES.labels("repeated").inc()
            verdict = await self._repeated(first, second)
            self._tournament.report(match, verdict.winner, verdict.probability_a, "repeated")
        else:
            with self._rounds.match(match.place, match.round, first=match.first, second=match.second) as traced:
                verdict, _, tokens, cached = await self._judged(first, second)
                traced.set(
                    winner=verdict.winner, probability=verdict.probability_a, tokens=tokens, cached_tokens=cached
                )
            self._tournament.report(match, verdict.winner, verdict.probability_a)
        self.verdicts[match.first, match.second] = verdict
        self._start_matches(group)

    async def _judged(self, first: str, second: str) -> Judged:
        told = self._known[first, second] = asyncio.get_running_loop().create_future()
        judged = await self._compare(first, second)
        self.judged.append(judged)
        told.set_result(judged.verdict)
        return judged

    async def _repeated(self, first: str, second: str) -> Verdict:
        """The verdict on two texts that met before, known or still awaited."""
        if (first, second) in self._known:
            return await self._known[first, second]
        return (await self._known[second, first]).swapped()


async def hold(
    tournament: Tournament,
    bring: Bring,
    compare: Compare,
    *,
    deadline_seconds: float | None = None,
    progress: Progress | None = None,
) -> Held:
    """Holds a tournament to its end, or to the deadline.

    Args:
        tournament: fresh, nobody arrived.
        bring: awaited once per candidate; raises `SampleError` where one can't be had.
        compare: judges two texts, the first at place A.
        deadline_seconds: time after which the work under way is cancelled and the best so far is returned.
        progress: called with counts of finished candidates and matches whenever they change.

    Returns:
        How it went; `ranking` is empty where no candidate could be had in time.
    """
    holder = _Holder(tournament, bring, compare, progress)
    started = time.monotonic()
    limit, cut = asyncio.timeout(deadline_seconds), False
    try:
        async with limit:
            await holder.run()
    except TimeoutError:
        if not limit.expired():
            raise
        # Its last step may have been done in the very moment.
        cut = not tournament.done
    if cut:
        metrics.DEADLINES.inc()
    metrics.TOURNAMENT_SECONDS.observe(time.monotonic() - started)
    ranking = tournament.standing()[: tournament.top]
    return Held(
        ranking,
        tournament.records(),
        holder.texts,
        holder.failures,
        holder.judged,
        cut,
        holder.verdicts,
    )
