"""Asks which of two candidates is better, as a contest wants it.

Two equal texts need no judgment, and two texts that met before, as other candidates or the other way round, need no
second one. A match that can't be read is left open.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from typing import Literal

from typing_extensions import override

from selfjudge import Contest, Match, ReadingError, Record, Verdict
from selfjudge_service.best_of_n.judging.judge import Judged
from selfjudge_service.best_of_n.selecting.asking import Asking
from selfjudge_service.observability import metrics
from selfjudge_service.observability.tracing import Rounds, mark

Compare = Callable[[str, str], Awaitable[Judged]]


class Matches(Asking):
    """The matches of a contest.

    Args:
        contest: fresh, without an arrival.
        compare: judges two texts, the first at place A; raises `ReadingError` where its log-probabilities are NaN.
    """

    def __init__(self, contest: Contest, compare: Compare) -> None:
        super().__init__(contest)
        self._contest = contest
        self._compare = compare
        self._rounds = Rounds()
        self._known: dict[tuple[str, str], asyncio.Future[Verdict | None]] = {}

    @override
    def ready(self) -> Iterator[Coroutine[None, None, None]]:
        while matches := self._contest.ready():
            for match in matches:
                if self.texts[match.first] == self.texts[match.second]:
                    metrics.DUPLICATES.labels("identical").inc()
                    self._contest.report(match, "tie", 0.5, "identical")
                else:
                    yield self._match(match)

    @override
    def counts(self) -> dict[str, int]:
        return {"matches": len(self.judged)}

    @override
    def records(self) -> list[Record]:
        return self._contest.records()

    @override
    def tracing(self) -> AbstractContextManager[object]:
        return self._rounds

    async def _match(self, match: Match) -> None:
        first, second = self.texts[match.first], self.texts[match.second]
        if (first, second) in self._known or (second, first) in self._known:
            metrics.DUPLICATES.labels("repeated").inc()
            reason: Literal["judged", "repeated"] = "repeated"
            verdict = await self._repeated(first, second)
        else:
            reason = "judged"
            verdict = await self._judged(match, first, second)
        if verdict is None:
            self._contest.leave_open(match)
        else:
            self._contest.report(match, verdict.winner, verdict.probability_a, reason)
            self.verdicts[match.first, match.second] = verdict

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
