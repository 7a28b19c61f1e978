"""An engine that batches continuously, as vLLM's scheduler does: a token for each running sequence, prompts in chunks.

Kept from vLLM: waiting requests are taken up by priority, judge reads first; a step has limits of sequences and tokens;
the prefix cache shares whole blocks, also among requests of one step, and a prompt's last token is always computed.
Left out: preemption (a request waits until its whole length fits the cache instead) and eviction.
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from loadtests.scale.clock import Clock, Then
from loadtests.scale.costs import Step, StepCosts

JUDGING, SAMPLING = 0, 1


class Limits(NamedTuple):
    """Options of the engine, by vLLM's names."""

    max_num_seqs: int
    max_num_batched_tokens: int
    block_size: int
    cache_tokens: int
    """Tokens that the KV cache holds."""


class Prefix(NamedTuple):
    """The beginning of a prompt that others share: whoever has the same `key` has the same first `tokens`."""

    key: object
    tokens: int


class Work(NamedTuple):
    """A request to the engine."""

    priority: int
    prompt: int
    new: int
    """Tokens to generate; 1 for a judge read."""
    prefixes: Sequence[Prefix]
    """What may be cached, longest first."""
    then: Then


@dataclass
class Spent:
    """What an engine has done so far."""

    steps: int = 0
    seconds: float = 0.0
    computed: int = 0
    """Tokens, of prompts and of answers, without those from the cache."""
    sampled: int = 0


Deliver = Callable[[int, Sequence[Then]], None]


class _Running:
    def __init__(self, work: Work, cached: int) -> None:
        self.work = work
        self.computed = cached
        self.left = work.new
        self.held = work.prompt - cached + work.new


class _Batch:
    """A step while it is put together."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.starts = self.sequences = self.tokens = self.pairs = self.context = self.sampled = 0
        self.done: list[Then] = []

    def add(self, one: _Running) -> None:
        """Gives a sequence its next token, or as much of its prompt as there is room for."""
        chunk = min(self.room, max(1, one.work.prompt - one.computed))
        self.room -= chunk
        self.sequences += 1
        self.tokens += chunk
        self.pairs += chunk * one.computed + chunk * (chunk + 1) // 2
        one.computed += chunk
        self.context += one.computed
        if one.computed >= one.work.prompt:
            self.sampled += 1
            one.left -= 1
            if not one.left:
                self.done.append(one.work.then)

    @property
    def step(self) -> Step:
        """What it costs is asked by this."""
        return Step(self.starts, self.sequences, self.tokens, self.pairs, self.context)


class Engine:
    """The engine of one replica.

    Args:
        clock: simulated time.
        costs: of its steps.
        limits: of its batches.
        deliver: told after each step how many tokens it sampled, and what is to happen once these have been taken.
    """

    def __init__(self, clock: Clock, costs: StepCosts, limits: Limits, deliver: Deliver) -> None:
        self._clock, self._costs, self._limits, self._deliver = clock, costs, limits, deliver
        self._waiting: list[tuple[int, int, Work]] = []
        self._order = count()
        self._running: list[_Running] = []
        self._held = 0
        self._seen: set[object] = set()
        self._steps = False
        self.spent = Spent()

    def submit(self, work: Work) -> None:
        """Takes a request.

        Raises:
            ValueError: if it can never fit the cache.
        """
        if work.prompt + work.new > self._limits.cache_tokens:
            raise ValueError(
                f"{work.prompt} tokens and {work.new} new ones don't fit a cache of {self._limits.cache_tokens} tokens"
            )
        heapq.heappush(self._waiting, (work.priority, next(self._order), work))
        if not self._steps:
            self._steps = True
            # Others may be submitted at the same time, and share the step.
            self._clock.after(0.0, self._step)

    def forget(self, keys: Iterable[object]) -> None:
        """Drops prefixes that nobody will ask for again."""
        self._seen.difference_update(keys)

    def _step(self) -> None:
        batch = _Batch(self._limits.max_num_batched_tokens)
        for one in self._running:
            if batch.room:
                batch.add(one)
        self._take_up(batch)
        if any(not one.left for one in self._running):
            self._held -= sum(one.held for one in self._running if not one.left)
            self._running = [one for one in self._running if one.left]
        seconds = self._costs.seconds(batch.step)
        self.spent.steps += 1
        self.spent.seconds += seconds
        self.spent.computed += batch.tokens
        self.spent.sampled += batch.sampled
        self._clock.after(seconds, lambda: self._end(batch))

    def _take_up(self, batch: _Batch) -> None:
        while self._waiting and batch.room and len(self._running) < self._limits.max_num_seqs:
            work = self._waiting[0][2]
            one = _Running(work, self._cached(work))
            if self._held + one.held > self._limits.cache_tokens:
                break
            heapq.heappop(self._waiting)
            self._seen.update(prefix.key for prefix in work.prefixes)
            self._held += one.held
            self._running.append(one)
            batch.starts += 1
            batch.add(one)

    def _cached(self, work: Work) -> int:
        size = self._limits.block_size
        known = next((prefix.tokens for prefix in work.prefixes if prefix.key in self._seen), 0)
        return min(known, work.prompt - 1) // size * size

    def _end(self, batch: _Batch) -> None:
        self._deliver(batch.sampled, batch.done)
        if self._running or self._waiting:
            self._step()
        else:
            self._steps = False
