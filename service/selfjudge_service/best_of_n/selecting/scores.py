"""Asks how good each candidate is.

Of candidates with the same tokens one is read, and all have its score. A candidate that can't be read has none.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping

from typing_extensions import override

from selfjudge import BestScore, ReadingError
from selfjudge_service.best_of_n.judging.in_place import Scored
from selfjudge_service.best_of_n.sampler import Sampled, SampledTokens
from selfjudge_service.best_of_n.selecting.asking import Asking
from selfjudge_service.observability import metrics
from selfjudge_service.observability.tracing import mark, span

Score = Callable[[SampledTokens], Awaitable[Scored]]


class Scores(Asking):
    """The scores of candidates.

    Args:
        method: fresh, without an arrival.
        sampled: the candidates that have arrived, with their tokens.
        score: scores one; raises `ReadingError` where its log-probabilities are NaN.
    """

    def __init__(self, method: BestScore, sampled: Mapping[int, Sampled], score: Score) -> None:
        super().__init__(method)
        self._method = method
        self._sampled = sampled
        self._score = score
        self._known: dict[SampledTokens, asyncio.Future[float | None]] = {}

    @override
    def ready(self) -> Iterator[Coroutine[None, None, None]]:
        yield from map(self._candidate, self._method.ready())

    @override
    def counts(self) -> dict[str, int]:
        return {"scored": len(self._method.scores)}

    @override
    def scores(self) -> Mapping[int, float]:
        return self._method.scores

    async def _candidate(self, candidate: int) -> None:
        tokens = self._sampled[candidate].tokens
        if tokens is None:
            raise TypeError("a candidate can't be scored without its tokens")
        if tokens in self._known:
            metrics.DUPLICATES.labels("repeated").inc()
            score = await self._known[tokens]
        else:
            score = await self._read(candidate, tokens)
        if score is None:
            self._method.leave_open(candidate)
        else:
            self._method.report(candidate, score)

    async def _read(self, candidate: int, tokens: SampledTokens) -> float | None:
        """The score of tokens that were not read before; None where it can't be read."""
        told = self._known[tokens] = asyncio.get_running_loop().create_future()
        with span("score", {"candidate": candidate}) as traced:
            try:
                scored = await self._score(tokens)
            except ReadingError:
                self.unreadable += 1
                told.set_result(None)
                return None
            mark(traced, probability=scored.score, tokens=scored.prompt_tokens, cached_tokens=scored.cached_tokens)
        self.scored.append(scored)
        told.set_result(scored.score)
        return scored.score
