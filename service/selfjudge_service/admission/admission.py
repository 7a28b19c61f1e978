"""Waits for a request's turn, until its deadline or until its client hangs up, and refuses what finds no room.

One `Admission` lasts as long as the server's process, across restarts of the engine.
"""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, get_args

from starlette.types import Receive

from selfjudge_service.admission.queue import Limits, Queue, Reason, Ticket
from selfjudge_service.admission.throughput import Throughput
from selfjudge_service.observability import metrics
from selfjudge_service.protocol.errors import DeadlineError, OverloadedError

for _reason in get_args(Reason):
    metrics.REFUSALS.labels(_reason)  # so that a first one is seen to be an increase


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
        self._queue = Queue(limits)
        self._throughput = Throughput(clock(), limits.candidates)
        self._turns: dict[Ticket, asyncio.Future[None]] = {}
        metrics.CANDIDATES_LIMIT.set(limits.candidates)

    @property
    def requests(self) -> int:
        """Requests in flight: those that run and those that wait."""
        return self._queue.running.requests + self._queue.waiting.requests

    def check(self, caller: str) -> None:
        """Refuses what `enter` would refuse at any weight, before the body is read.

        Raises:
            OverloadedError: saying which limit is in the way, and when to come back.
        """
        self._pass_time()
        if reason := self._queue.refusal(caller, rate=self._throughput.sure_rate):
            raise self._refused(reason, caller, None)

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
        if reason := self._queue.join(ticket, rate=self._throughput.sure_rate):
            raise self._refused(reason, caller, ticket.weight)
        self._show()
        if not self._queue.runs(ticket):
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
            async with asyncio.timeout(min(self._queue.limits.queue_seconds, own_seconds)):
                await turn
        except TimeoutError:
            if own_seconds <= self._queue.limits.queue_seconds:
                message = f"the server was full for the {own_seconds:g} s that deadline_ms gives this request"
                raise DeadlineError(message, "self_rejection.deadline_ms") from None
            self._pass_time()
            raise self._refused("queue_seconds", ticket.caller, ticket.weight) from None
        finally:
            del self._turns[ticket]

    def _leave(self, ticket: Ticket, finished: int = 0) -> None:
        self._pass_time(finished)
        for admitted in self._queue.leave(ticket):
            # A cancelled request leaves by itself.
            if not self._turns[admitted].done():
                self._turns[admitted].set_result(None)
        self._show()

    def _pass_time(self, finished: int = 0) -> None:
        waiting = self._queue.waiting.requests > 0
        self._throughput.pass_time(
            self._clock(), busy=self._queue.running.requests > 0, full=waiting, finished=finished
        )

    def _show(self) -> None:
        metrics.TOURNAMENTS_RUNNING.set(self._queue.tournaments)
        metrics.CANDIDATES_RUNNING.set(self._queue.running.candidates)
        metrics.QUEUE_LENGTH.set(self._queue.waiting.requests)

    def _refused(self, reason: Reason, caller: str, weight: int | None) -> OverloadedError:
        """The answer to a request that may neither run nor wait, counted.

        Args:
            reason: the limit in the way.
            caller: as for `enter`.
            weight: in candidates; None where the body has not been read.
        """
        metrics.REFUSALS.labels(reason).inc()
        running, waiting, own = self._queue.running, self._queue.waiting, self._queue.load_of(caller)
        limits = self._queue.limits
        everybodys = running.candidates + waiting.candidates
        if reason == "key_requests":
            message = f"this API key has {own.requests} requests in flight, all that key_max_requests allows"
            return OverloadedError(
                message, self._throughput.come_back_to_own(own.candidates // own.requests, own.candidates, everybodys)
            )
        if reason == "key_candidates":
            allowed, wanted = limits.key_candidates or 0, weight or 1
            message = (
                f"this API key has {own.candidates} candidates in flight and asks for {wanted} more, "
                f"beyond the {allowed} that key_max_candidates allows"
            )
            missing = min(own.candidates + wanted - allowed, own.candidates)
            return OverloadedError(message, self._throughput.come_back_to_own(missing, own.candidates, everybodys))
        if reason == "queue_seconds":
            message = f"no room was found within the {limits.queue_seconds:g} s that queue_seconds allows"
        else:
            message = f"the server is full: {running.candidates} candidates run and {waiting.requests} requests wait"
            if waiting.requests and self._throughput.rate:
                message += f", the last of them for about {self._throughput.seconds_for(waiting.candidates):.0f} s"
        # An unknown weight is taken to be the average.
        expected = weight or everybodys / (running.requests + waiting.requests)
        # By then half of the queue has been admitted: there is room again, and the server doesn't run dry.
        return OverloadedError(message, self._throughput.come_back(waiting.candidates // 2, expected))


async def enter_unless_hung_up(
    receive: Receive,
    end: ExitStack,
    admission: Admission,
    weight: int,
    **how: Any,  # noqa: ANN401  what `enter` takes
) -> bool:
    """Has a request enter, and leave when `end` is closed; False if its client has hung up while it waited.

    The request's body must have been read. Errors are those of `Admission.enter`.
    """

    async def enter() -> None:
        end.callback(admission.leave, await admission.enter(weight, **how))

    entering = asyncio.create_task(enter())
    tasks = [entering]
    try:
        await asyncio.sleep(0)
        if not entering.done():  # a request that is admitted at once is not watched
            tasks.append(asyncio.create_task(_hung_up(receive)))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not entering.done():
            return False
        entering.result()
        return True
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
