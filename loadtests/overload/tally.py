"""From requests to figures: capacity, what admitted requests took, and whether those refused were told the truth."""

from collections import Counter
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from statistics import median
from typing import NamedTuple

from loadtests.overload.phases import Level, Reply
from loadtests.report import Quantiles


class ClosedLoop(NamedTuple):
    """One number of clients. Throughput is answered requests a second."""

    clients: int
    throughput: float
    latency: Quantiles
    statuses: dict[int, int]


class Overload(NamedTuple):
    """What came of arrivals beyond capacity."""

    offered: float
    """Arrivals a second."""
    seconds: float
    statuses: dict[int, int]
    throughput: float
    admitted: Quantiles
    refusal: Quantiles
    """How long a refusal took."""


class Crowd(NamedTuple):
    """What came of a crowd that did as it was told."""

    visitors: int
    statuses: dict[int, int]
    """Of each visitor's last request."""
    admitted_at_once: float
    """Share of the visitors."""
    first_return: float
    """Share of those refused that were admitted when they came back for the first time."""
    second_return: float
    """The same, the first or the second time."""
    returns: float
    """Times that a refused one had to come back, on average."""
    seconds: float
    """Until the last one was answered."""
    needed: float
    """Seconds in which the server answers so many at capacity."""
    told_p50: float
    """Seconds that a refused one was told at first."""
    told_longest: float


class Measured(NamedTuple):
    """All figures of one queue, and the requests of overload and crowd."""

    loops: list[ClosedLoop]
    """More and more clients; the last but one is capacity, the last is company."""
    overload: Overload
    crowd: Crowd
    replies: list[Reply]
    visitors: list[list[Reply]]

    @property
    def capacity(self) -> ClosedLoop:
        """As many clients as run at once."""
        return self.loops[-2]


def closed_loop(level: Level) -> ClosedLoop:
    """One level's figures."""
    answered = _answered(level.replies)
    return ClosedLoop(level.clients, len(answered) / level.seconds, _latency(answered), _statuses(level.replies))


def overload(replies: Sequence[Reply], offered: float, seconds: float) -> Overload:
    """Figures of arrivals beyond capacity."""
    answered = _answered(replies)
    ended = max((reply.sent + reply.seconds for reply in answered), default=seconds)
    return Overload(
        offered=offered,
        seconds=seconds,
        statuses=_statuses(replies),
        throughput=len(answered) / ended,
        admitted=_latency(answered),
        refusal=_latency(reply for reply in replies if reply.status == HTTPStatus.TOO_MANY_REQUESTS),
    )


def crowd(visitors: Sequence[Sequence[Reply]], capacity: ClosedLoop) -> Crowd:
    """Figures of a crowd."""
    refused = [replies for replies in visitors if replies[0].retry_after is not None]
    told = [replies[0].retry_after or 0.0 for replies in refused] or [0.0]
    return Crowd(
        visitors=len(visitors),
        statuses=_statuses([replies[-1] for replies in visitors]),
        admitted_at_once=1 - len(refused) / len(visitors),
        first_return=_share(refused, 1),
        second_return=_share(refused, 2),
        returns=sum(len(replies) - 1 for replies in refused) / max(1, len(refused)),
        seconds=max(replies[-1].sent + replies[-1].seconds for replies in visitors),
        needed=len(visitors) / capacity.throughput,
        told_p50=median(told),
        told_longest=max(told),
    )


def _share(refused: Sequence[Sequence[Reply]], returns: int) -> float:
    admitted = sum(len(replies) <= 1 + returns and replies[-1].status == HTTPStatus.OK for replies in refused)
    return admitted / max(1, len(refused))


def _latency(replies: Iterable[Reply]) -> Quantiles:
    return Quantiles.of(reply.seconds for reply in replies)


def _answered(replies: Sequence[Reply]) -> list[Reply]:
    return [reply for reply in replies if reply.status == HTTPStatus.OK]


def _statuses(replies: Sequence[Reply]) -> dict[int, int]:
    return dict(sorted(Counter(reply.status for reply in replies).items()))
