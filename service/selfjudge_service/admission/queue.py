"""The rules of admission: what runs, what waits, and what is refused. Pure: no clock, no event loop, no HTTP.

First come, first served: no request runs while an earlier one waits. So a large tournament at the head of the queue
holds up smaller ones until there is room for it.

A request may join the queue while those ahead of it are expected to be admitted in time, whatever its own size: so a
tournament of 64 is refused no more often than a plain answer.
"""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from selfjudge_service.settings import Settings

if TYPE_CHECKING:
    from vllm.config import VllmConfig

Reason = Literal["queue_full", "queue_seconds", "key_requests", "key_candidates"]
# The estimate of the rate is not exact, and more requests slow the server down: fewer are let in than it says.
_BELIEVED = 2 / 3
# Of prompt and answer together, where the context is longer than that.
_USUAL_TOKENS = 4096


class Limits(NamedTuple):
    """Limits of one server process; None is no limit."""

    candidates: int
    """Weight that runs at once. What weighs more than all of it runs alone."""
    tournaments: int | None = None
    waiting: int = 1000
    """Requests in the queue, whatever they weigh."""
    queue_seconds: float = 30.0
    """Longest wait; others may join the queue while it is expected to be shorter."""
    key_requests: int | None = None
    """Requests of one caller, running and waiting together."""
    key_candidates: int | None = None
    """Their weight."""
    queue_share: float | None = None
    """Others may join the queue while those in it weigh less than this share of `candidates`."""
    waiting_bytes: int = 2**28
    """Others may join the queue while the bodies of those in it come to less: a flood must not take all memory."""


def limits_for(settings: Settings, engine: "VllmConfig") -> Limits:
    """The limits that an operator has set, the others from the engine's size."""
    return Limits(
        candidates=settings.max_candidates or room_for_candidates(engine),
        tournaments=settings.max_tournaments,
        waiting=settings.max_waiting,
        queue_share=settings.queue_share,
        queue_seconds=settings.queue_seconds,
        key_requests=settings.key_max_requests,
        key_candidates=settings.key_max_candidates,
    )


def room_for_candidates(engine: "VllmConfig") -> int:
    """Candidates that an engine can hold at once, none of them queued there or evicted from its KV cache.

    The cache is taken to be filled by candidates of 4,096 tokens, or of the model's context if that is shorter.
    """
    sequences = engine.scheduler_config.max_num_seqs * engine.parallel_config.data_parallel_size
    cached_tokens = (engine.cache_config.num_gpu_blocks or 0) * engine.cache_config.block_size
    if not cached_tokens:  # a model without attention has no such cache
        return sequences
    return max(1, min(sequences, cached_tokens // min(engine.model_config.max_model_len, _USUAL_TOKENS)))


@dataclass(eq=False, slots=True)
class Ticket:
    """One request from its arrival to its end.

    Args:
        weight: in candidates, at least 1.
        tournament: whether it counts as one.
        caller: whose it is; any name that is the same for the same key.
        size: of its body, in bytes.
    """

    weight: int
    tournament: bool = False
    caller: str = ""
    size: int = 0


class Load(NamedTuple):
    """Requests and their weight."""

    requests: int
    candidates: int


class _Line:
    """Tickets in order, with their sums."""

    def __init__(self) -> None:
        self.tickets: dict[Ticket, None] = {}
        self.candidates = 0
        self.tournaments = 0
        self.size = 0

    def __contains__(self, ticket: Ticket) -> bool:
        return ticket in self.tickets

    def add(self, ticket: Ticket) -> None:
        self.tickets[ticket] = None
        self.candidates += ticket.weight
        self.tournaments += ticket.tournament
        self.size += ticket.size

    def remove(self, ticket: Ticket) -> None:
        del self.tickets[ticket]
        self.candidates -= ticket.weight
        self.tournaments -= ticket.tournament
        self.size -= ticket.size

    @property
    def load(self) -> Load:
        return Load(len(self.tickets), self.candidates)


class Queue:
    """Applies the limits.

    Args:
        limits: what may run and wait.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._running = _Line()
        self._waiting = _Line()
        self._requests_of: Counter[str] = Counter()
        self._candidates_of: Counter[str] = Counter()

    @property
    def running(self) -> Load:
        """What runs."""
        return self._running.load

    @property
    def waiting(self) -> Load:
        """What waits."""
        return self._waiting.load

    @property
    def tournaments(self) -> int:
        """Tournaments that run."""
        return self._running.tournaments

    def load_of(self, caller: str) -> Load:
        """One caller's load, running and waiting."""
        return Load(self._requests_of[caller], self._candidates_of[caller])

    def runs(self, ticket: Ticket) -> bool:
        """Whether a ticket has been admitted and hasn't left."""
        return ticket in self._running

    def refusal(self, caller: str, weight: int = 1, *, rate: float | None = None) -> Reason | None:
        """Why a request would be refused now, if it would be; with the least weight, whatever its size.

        Args:
            caller: whose it is.
            weight: in candidates.
            rate: candidates that the server finishes in a second; None where that isn't known.
        """
        limits, load = self.limits, self.load_of(caller)
        if limits.key_requests is not None and load.requests >= limits.key_requests:
            return "key_requests"
        if limits.key_candidates is not None and load.candidates + weight > max(limits.key_candidates, weight):
            return "key_candidates"
        full = self._waiting.tickets or not self._fits(1, tournament=False)
        if full and not self._may_wait(rate):
            return "queue_full"
        return None

    def join(self, ticket: Ticket, *, rate: float | None = None) -> Reason | None:
        """Lets a ticket run or wait, or says why it may do neither; `rate` as for `refusal`.

        A weight beyond a limit counts as the limit: such a request runs when nothing else does.
        """
        ticket.weight = min(ticket.weight, self.limits.candidates)
        if reason := self.refusal(ticket.caller, ticket.weight, rate=rate):
            return reason
        runs = not self._waiting.tickets and self._fits(ticket.weight, tournament=ticket.tournament)
        if not runs and not self._may_wait(rate):
            return "queue_full"
        (self._running if runs else self._waiting).add(ticket)
        self._requests_of[ticket.caller] += 1
        self._candidates_of[ticket.caller] += ticket.weight
        return None

    def leave(self, ticket: Ticket) -> list[Ticket]:
        """Takes out a ticket, done or not wanted any more, and returns those that run from now on because of that."""
        (self._running if ticket in self._running else self._waiting).remove(ticket)
        self._requests_of[ticket.caller] -= 1
        self._candidates_of[ticket.caller] -= ticket.weight
        if not self._requests_of[ticket.caller]:
            del self._requests_of[ticket.caller], self._candidates_of[ticket.caller]
        admitted = []
        while self._waiting.tickets:
            head = next(iter(self._waiting.tickets))
            if not self._fits(head.weight, tournament=head.tournament):
                break
            self._waiting.remove(head)
            self._running.add(head)
            admitted.append(head)
        return admitted

    def _fits(self, weight: int, *, tournament: bool) -> bool:
        limits, running = self.limits, self._running
        if tournament and limits.tournaments is not None and running.tournaments >= limits.tournaments:
            return False
        return running.candidates + weight <= limits.candidates

    def _may_wait(self, rate: float | None) -> bool:
        limits, (requests, candidates) = self.limits, self.waiting
        if requests >= limits.waiting or self._waiting.size >= limits.waiting_bytes:
            return False
        if limits.queue_share is not None and candidates >= limits.queue_share * limits.candidates:
            return False
        return rate is None or candidates <= _BELIEVED * limits.queue_seconds * rate
