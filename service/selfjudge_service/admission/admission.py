"""Admission as requests meet it: they wait their turn, give up at a deadline or when their client does, and leave.

One `Admission` lasts as long as the server's process, whatever becomes of the engine. Draining, and what an engine's
death does to requests, are supervision's: cancelled, they leave by themselves.
"""

import asyncio
import math
import time
from collections.abc import Callable

from selfjudge_service.admission.limits import Limits
from selfjudge_service.admission.queue import Gate, Reason, Ticket
from selfjudge_service.admission.refusal import refusal
from selfjudge_service.admission.throughput import Drain
from selfjudge_service.observability import admission_metrics as metrics
from selfjudge_service.protocol.errors import DeadlineError, OverloadedError


class Admission:
    """Admits whole requests, within limits.

    A request calls `enter` before its first work in the engine and `leave` when its answer has been sent, whole or
    streamed, or its client has hung up. In between it is in flight: running, or waiting in `enter`.

    Args:
        limits: what may run and wait.
        clock: monotonic seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gate = Gate(limits)
        self._drain = Drain(clock(), limits.candidates)
        self._turns: dict[Ticket, asyncio.Future[None]] = {}
        metrics.CANDIDATES_LIMIT.set(limits.candidates)

    @property
    def requests(self) -> int:
        """Requests in flight: those that run and those that wait."""
        return self._gate.running.requests + self._gate.waiting.requests

    def check(self, caller: str) -> None:
        """Refuses at once whom `enter` would refuse whatever its weight, so that its body needn't be read.

        Raises:
            OverloadedError: saying which limit is in the way, and when to come back.
        """
        self._pass_time()
        if reason := self._gate.refusal(caller, rate=self._drain.sure_rate):
            raise self._refused(reason, None, caller)

    async def enter(
        self,
        weight: int,
        *,
        tournament: bool = False,
        caller: str = "",
        size: int = 0,
        deadline_seconds: float = math.inf,
    ) -> Ticket:
        """Waits until a request may run. A caller that is cancelled meanwhile has left.

        Args:
            weight: in candidates, at least 1.
            tournament: whether it counts as a tournament.
            caller: the same for the same API key, and not the key itself.
            size: of its body, in bytes.
            deadline_seconds: time that the request gives itself, from now on.

        Returns:
            What to `leave` with.

        Raises:
            OverloadedError: if it may neither run nor wait, or has waited for queue_seconds.
            DeadlineError: if its own time is over before.
        """
        ticket = Ticket(weight, tournament, caller, size)
        arrived = self._clock()
        self._pass_time()
        if reason := self._gate.join(ticket, rate=self._drain.sure_rate):
            raise self._refused(reason, ticket, caller)
        self._show()
        if not self._gate.runs(ticket):
            try:
                await self._turn(ticket, deadline_seconds)
            except BaseException:
                self._leave(ticket)
                raise
        metrics.QUEUE_SECONDS.observe(self._clock() - arrived)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Takes a request out that `enter` has admitted; its weight is free for those that wait."""
        self._leave(ticket, ticket.weight)

    async def _turn(self, ticket: Ticket, own_seconds: float) -> None:
        """Waits for a ticket's turn, no longer than the queue or the request allows."""
        turn = self._turns[ticket] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(min(self._gate.limits.queue_seconds, own_seconds)):
                await turn
        except TimeoutError:
            if own_seconds <= self._gate.limits.queue_seconds:
                message = f"the server was full for the {own_seconds:g} s that deadline_ms gives this request"
                raise DeadlineError(message, "self_rejection.deadline_ms") from None
            self._pass_time()
            raise self._refused("queue_seconds", ticket, ticket.caller) from None
        finally:
            del self._turns[ticket]

    def _leave(self, ticket: Ticket, finished: int = 0) -> None:
        self._pass_time(finished)
        for admitted in self._gate.leave(ticket):
            # One that has been cancelled, and not run since, will leave by itself.
            if not self._turns[admitted].done():
                self._turns[admitted].set_result(None)
        self._show()

    def _pass_time(self, finished: int = 0) -> None:
        waiting = self._gate.waiting.requests > 0
        self._drain.pass_time(self._clock(), busy=self._gate.running.requests > 0, full=waiting, finished=finished)

    def _show(self) -> None:
        metrics.TOURNAMENTS_RUNNING.set(self._gate.tournaments)
        metrics.CANDIDATES_RUNNING.set(self._gate.running.candidates)
        metrics.QUEUE_LENGTH.set(self._gate.waiting.requests)

    def _refused(self, reason: Reason, ticket: Ticket | None, caller: str) -> OverloadedError:
        return refusal(reason, self._gate, self._drain, caller, ticket.weight if ticket else None)
