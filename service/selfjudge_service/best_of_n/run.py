"""Runs a tournament: starts the samples, each match as soon as both of its sides are there, and stops at a deadline.

It joins the bracket (pure) with two coroutines that do the work, one that brings a candidate's text and one that
compares two texts; where texts and verdicts come from is not known here. Two equal texts need no judgment, and two
texts that met before, as other candidates or the other way round, need no second one. A comparison that can't be read
fails alone: its match is left open. When the caller is cancelled, so is all work.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

from selfjudge import Match, ReadingError, Record, Tournament, Verdict
from selfjudge_service.best_of_n.judging.judge import Judged
from selfjudge_service.best_of_n.sampler import SampleError
from selfjudge_service.observability import metrics
from selfjudge_service.observability.tracing import Rounds, mark
from selfjudge_service.protocol.errors import NotFiniteError
from selfjudge_service.tasks import task_group

Bring = Callable[[int], Awaitable[str]]
Compare = Callable[[str, str], Awaitable[Judged]]
Progress = Callable[[dict[str, int]], None]


class TournamentResult(NamedTuple):
    """How a tournament went.

    `ranking` has the best candidates in order: `top` of them, or fewer where too many failed. Candidates whose text
    never came are in `failures` (why) or, at a deadline, in neither `texts` nor `failures`. `judged` are the judgments
    that were made, `verdicts` those of each match by its two candidates, made for it or repeated; `unreadable` counts
    comparisons that gave none.
    """

    ranking: list[int]
    records: list[Record]
    texts: dict[int, str]
    failures: dict[int, SampleError]
    judged: list[Judged]
    deadline_reached: bool
    verdicts: dict[tuple[int, int], Verdict]
    unreadable: int = 0


class _Run:
    def __init__(self, tournament: Tournament, bring: Bring, compare: Compare, progress: Progress | None) -> None:
        self._tournament = tournament
        self._bring = bring
        self._compare = compare
        self._progress = progress
        self.texts: dict[int, str] = {}
        self.failures: dict[int, SampleError] = {}
        self.judged: list[Judged] = []
        self.verdicts: dict[tuple[int, int], Verdict] = {}
        self.unreadable = 0
        self._known: dict[tuple[str, str], asyncio.Future[Verdict | None]] = {}

    async def run(self) -> None:
        with Rounds() as self._rounds:
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
            reason: Literal["judged", "repeated"] = "repeated"
            verdict = await self._repeated(first, second)
        else:
            reason = "judged"
            verdict = await self._judged(match, first, second)
        if verdict is None:
            self._tournament.leave_open(match)
        else:
            self._tournament.report(match, verdict.winner, verdict.probability_a, reason)
            self.verdicts[match.first, match.second] = verdict
        self._start_matches(group)

    async def _judged(self, match: Match, first: str, second: str) -> Verdict | None:
        """A verdict on two texts that have not met; None where it can't be read."""
        told = self._known[first, second] = asyncio.get_running_loop().create_future()
        with self._rounds.match(match.place, match.round, first=match.first, second=match.second) as traced:
            try:
                verdict, _, tokens, cached = judged = await self._compare(first, second)
            except ReadingError:
                self.unreadable += 1
                told.set_result(None)
                return None
            mark(traced, winner=verdict.winner, probability=verdict.probability_a, tokens=tokens, cached_tokens=cached)
        self.judged.append(judged)
        told.set_result(verdict)
        return verdict

    async def _repeated(self, first: str, second: str) -> Verdict | None:
        """The verdict on two texts that met before, known or still awaited."""
        if (first, second) in self._known:
            return await self._known[first, second]
        verdict = await self._known[second, first]
        return verdict and verdict.swapped()


async def run_tournament(
    tournament: Tournament,
    bring: Bring,
    compare: Compare,
    *,
    deadline_seconds: float | None = None,
    progress: Progress | None = None,
) -> TournamentResult:
    """Runs a tournament to its end, or to the deadline.

    Args:
        tournament: fresh, without an arrival.
        bring: awaited once per candidate; raises `SampleError` where one can't be had.
        compare: judges two texts, the first at place A; raises `ReadingError` where its log-probabilities are NaN.
        deadline_seconds: time after which the work under way is cancelled and the best so far is returned.
        progress: called with counts of finished candidates and matches whenever they change.

    Returns:
        How it went; `ranking` is empty where no candidate could be had in time.

    Raises:
        NotFiniteError: if no comparison at all could be read.
    """
    run = _Run(tournament, bring, compare, progress)
    started = time.monotonic()
    limit, cut = asyncio.timeout(deadline_seconds), False
    try:
        async with limit:
            await run.run()
    except TimeoutError:
        if not limit.expired():
            raise
        # Its last step may have been done in the very moment.
        cut = not tournament.done
    if cut:
        metrics.DEADLINES.inc()
    if run.unreadable and not run.judged:
        raise NotFiniteError("the judge's log-probabilities")
    metrics.TOURNAMENT_SECONDS.observe(time.monotonic() - started)
    ranking = tournament.standing()[: tournament.top]
    return TournamentResult(
        ranking,
        tournament.records(),
        run.texts,
        run.failures,
        run.judged,
        cut,
        run.verdicts,
        run.unreadable,
    )
