"""The simulated engine: batching, priority and the prefix cache."""

from collections.abc import Sequence

import pytest

from loadtests.scale.clock import Clock, Then
from loadtests.scale.costs import Step
from loadtests.scale.engine import JUDGING, SAMPLING, Engine, Limits, Prefix, Work

LIMITS = Limits(max_num_seqs=4, max_num_batched_tokens=100, block_size=16, cache_tokens=1000)


class Recorded:
    """Costs of one second a step, which remember the steps."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def seconds(self, step: Step) -> float:
        self.steps.append(step)
        return 1.0


class Run:
    """An engine, what it computes, and when works end."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.clock, self.costs = Clock(), Recorded()
        self.ended: dict[str, float] = {}
        self.engine = Engine(self.clock, self.costs, limits, self._deliver)

    def _deliver(self, sampled: int, done: Sequence[Then]) -> None:
        for then in done:
            then()

    def submit(
        self, name: str, prompt: int, new: int, priority: int = SAMPLING, prefixes: Sequence[Prefix] = ()
    ) -> None:
        def end() -> None:
            self.ended[name] = self.clock.now

        self.engine.submit(Work(priority, prompt, new, prefixes, end))

    def run(self) -> list[Step]:
        self.clock.run()
        return self.costs.steps


def test_a_prompt_and_then_a_token_a_step() -> None:
    run = Run()
    run.submit("one", prompt=10, new=3)
    steps = run.run()
    assert [step.tokens for step in steps] == [10, 1, 1]
    assert [step.context for step in steps] == [10, 11, 12]
    assert [step.pairs for step in steps] == [55, 11, 12]
    assert run.ended == {"one": 3.0}


def test_sequences_share_steps() -> None:
    run = Run()
    for name in "abcd":
        run.submit(name, prompt=10, new=5)
    steps = run.run()
    assert len(steps) == 5
    assert steps[0] == Step(starts=4, sequences=4, tokens=40, pairs=220, context=40)


def test_long_prompts_come_in_chunks() -> None:
    run = Run()
    run.submit("long", prompt=250, new=1)
    assert [step.tokens for step in run.run()] == [100, 100, 50]


def test_no_more_sequences_than_allowed() -> None:
    run = Run()
    for name in "abcdef":
        run.submit(name, prompt=10, new=2)
    steps = run.run()
    assert max(step.sequences for step in steps) == 4
    assert run.ended["a"] == 2.0
    assert run.ended["f"] == 4.0


def test_judge_reads_go_first() -> None:
    run = Run(LIMITS._replace(max_num_seqs=1))
    run.submit("sample", prompt=10, new=1)
    run.submit("another", prompt=10, new=1)
    run.submit("read", prompt=10, new=1, priority=JUDGING)
    run.run()
    assert run.ended == {"read": 1.0, "sample": 2.0, "another": 3.0}


def test_whole_blocks_of_a_shared_prefix_are_computed_once() -> None:
    run = Run()
    for name in "ab":
        run.submit(name, prompt=50, new=1, prefixes=[Prefix("same", 40)])
    # 40 tokens are two whole blocks of 16.
    assert run.run()[0].tokens == 50 + 50 - 32


def test_the_last_token_of_a_prompt_is_always_computed() -> None:
    run = Run()
    for name in "ab":
        run.submit(name, prompt=32, new=1, prefixes=[Prefix("all of it", 32)])
    assert run.run()[0].tokens == 32 + 16


def test_the_longest_known_prefix_counts_and_what_is_forgotten_does_not() -> None:
    run = Run()
    run.submit("a", prompt=64, new=1, prefixes=[Prefix("longer", 48), Prefix("shorter", 16)])
    run.submit("b", prompt=64, new=1, prefixes=[Prefix("other", 48), Prefix("shorter", 16)])
    steps = run.run()
    assert steps[0].tokens == 100
    assert sum(step.tokens for step in steps) == 64 + 64 - 16
    run.engine.forget(["shorter", "other"])
    run.submit("c", prompt=64, new=1, prefixes=[Prefix("other", 48), Prefix("shorter", 16)])
    run.run()
    assert run.engine.spent.computed == 64 + 64 - 16 + 64


def test_whoever_does_not_fit_the_cache_waits() -> None:
    run = Run(LIMITS._replace(cache_tokens=100, max_num_batched_tokens=1000))
    run.submit("a", prompt=60, new=2)
    run.submit("b", prompt=60, new=2)
    run.run()
    assert run.ended == {"a": 2.0, "b": 4.0}


def test_what_can_never_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="1100 tokens and 1 new ones don't fit a cache of 1000"):
        Run().submit("too long", prompt=1100, new=1)
