"""One simulated server: the bracket is the real server's, the time that everything takes is simulated.

A request goes the way it goes there: the front end takes it, admits it whole, hands N samples to the engine, makes a
match as soon as both of its candidates are there, and answers when the bracket is decided.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from loadtests.scale.clock import Clock, Then, Worker
from loadtests.scale.costs import Costs
from loadtests.scale.engine import JUDGING, SAMPLING, Engine, Limits, Prefix, Work
from selfjudge import Match, Tournament


class Lengths(NamedTuple):
    """Lengths in tokens. A judge prompt is `head` + prompt + both answers + `tail`."""

    prompt: int
    """Of the chat, as rendered."""
    response: float
    """Mean length of a candidate."""
    variation: float
    """Standard deviation over mean of these lengths, which have a gamma distribution; 0: all are equal."""
    head: int
    """What a judgment template has before the conversation."""
    tail: int
    """And after it."""
    again: float = 1.0
    """Tokens of a candidate in a judge prompt over tokens sampled: its text is encoded anew."""

    def draw(self, draws: random.Random) -> int:
        """The length of a candidate."""
        if not self.variation:
            return round(self.response)
        shape = self.variation**-2
        return max(1, round(draws.gammavariate(shape, self.response / shape)))


class Demand(NamedTuple):
    """What every request asks for. No two candidates are equal, so every match is judged."""

    best_of_n: int
    lengths: Lengths


class Settings(NamedTuple):
    """What is simulated."""

    costs: Costs
    limits: Limits
    max_candidates: int
    """Admission: candidates in flight at once."""


class Answered(NamedTuple):
    """One request, in seconds of simulated time."""

    sent: float
    seconds: float


Tell = Callable[[Answered], None]


class Replica:
    """A front end and its engine.

    Args:
        clock: simulated time.
        settings: what it costs and may do.
        draws: draws lengths.
    """

    def __init__(self, clock: Clock, settings: Settings, draws: random.Random) -> None:
        self.clock, self.draws = clock, draws
        self.costs = settings.costs
        self.front = Worker(clock)
        self.engine = Engine(clock, settings.costs.engine, settings.limits, self._output)
        self._max_candidates = settings.max_candidates
        self._queue: deque[_Held] = deque()
        self._in_flight = 0
        self._asked = 0

    def ask(self, demand: Demand, tell: Tell) -> None:
        """Sends a request; `tell` is called when it is answered."""
        self._asked += 1
        held = _Held(self, demand, self._asked, tell)
        self.front.work(self.costs.front.request, partial(self._admit, held))

    def submit(self, works: Iterable[Work]) -> None:
        """Sends requests to the engine."""
        for work in works:
            self.clock.after(self.costs.hop, partial(self.engine.submit, work))

    def ended(self, candidates: int) -> None:
        """Makes room for others."""
        self._in_flight -= candidates
        while self._queue and self._fits(self._queue[0]):
            self._start(self._queue.popleft())

    def _admit(self, held: "_Held") -> None:
        if self._queue or not self._fits(held):
            self._queue.append(held)
        else:
            self._start(held)

    def _fits(self, held: "_Held") -> bool:
        return not self._in_flight or self._in_flight + held.demand.best_of_n <= self._max_candidates

    def _start(self, held: "_Held") -> None:
        self._in_flight += held.demand.best_of_n
        held.start()

    def _output(self, sampled: int, done: Sequence[Then]) -> None:
        seconds = self.costs.front.step + self.costs.front.token * sampled
        self.clock.after(self.costs.hop, partial(self.front.work, seconds, partial(_all, done)))


class _Held:
    """One request under way."""

    def __init__(self, replica: Replica, demand: Demand, number: int, tell: Tell) -> None:
        self.demand = demand
        self._replica, self._tell, self._number = replica, tell, number
        self._sent = replica.clock.now
        self._bracket = Tournament(demand.best_of_n, seed=number)
        self._lengths = [demand.lengths.draw(replica.draws) for _ in range(demand.best_of_n)]
        self._prefixes: set[object] = set()
        self._reads: dict[Match, int] = {}

    def start(self) -> None:
        """Sends all samples."""
        for candidate in range(self.demand.best_of_n):
            self._replica.front.work(self._half, partial(self._sample, candidate))

    @property
    def _half(self) -> float:
        return self._replica.costs.front.candidate / 2

    def _sample(self, candidate: int) -> None:
        prompt = self.demand.lengths.prompt
        sampled = partial(self._replica.front.work, self._half, partial(self._arrived, candidate))
        work = Work(SAMPLING, prompt, self._lengths[candidate], [self._prefix("prompt", prompt)], sampled)
        self._replica.submit([work])

    def _arrived(self, candidate: int) -> None:
        self._bracket.arrive(candidate)
        self._go_on()

    def _go_on(self) -> None:
        for match in self._bracket.ready():
            self._judge(match)
        if self._bracket.done:
            self._replica.engine.forget(self._prefixes)
            self._replica.ended(self.demand.best_of_n)
            self._tell(Answered(self._sent, self._replica.clock.now - self._sent))

    def _judge(self, match: Match) -> None:
        works = [self._read(match, match.first, match.second), self._read(match, match.second, match.first)]
        self._reads[match] = len(works)
        front = self._replica.costs.front
        seconds = front.match + front.judge_token * sum(work.prompt for work in works)
        self._replica.front.work(seconds, partial(self._replica.submit, works))

    def _read(self, match: Match, at_a: int, at_b: int) -> Work:
        lengths = self.demand.lengths
        before = lengths.head + lengths.prompt
        a, b = (round(lengths.again * self._lengths[candidate]) for candidate in (at_a, at_b))
        prefixes = [
            self._prefix(("at A", at_a), before + a),
            self._prefix("conversation", before),
            Prefix("template", lengths.head),
        ]
        return Work(JUDGING, before + a + b + lengths.tail, 1, prefixes, partial(self._judged, match))

    def _judged(self, match: Match) -> None:
        self._reads[match] -= 1
        if not self._reads[match]:
            self._bracket.report(match, "A", 1.0)
            self._go_on()

    def _prefix(self, key: object, tokens: int) -> Prefix:
        own = (self._number, key)
        self._prefixes.add(own)
        return Prefix(own, tokens)


def _all(thens: Sequence[Then]) -> None:
    for then in thens:
        then()
