"""Laws that a simulated server must keep, whatever its costs."""

from statistics import mean

import pytest

from loadtests.scale.costs import Costs, FrontCosts, LinearCosts
from loadtests.scale.engine import Limits
from loadtests.scale.replica import Demand, Lengths, Settings
from loadtests.scale.simulate import Outcome, closed_loop, open_loop

COSTS = Costs(
    LinearCosts(step=0.004, start=0.0002, sequence=1e-4, token=2e-5, pair=0.0),
    FrontCosts(request=0.002, candidate=0.001, match=0.001, judge_token=0.0, step=3e-4, token=1e-5),
    hop=2e-4,
)
LIMITS = Limits(max_num_seqs=64, max_num_batched_tokens=512, block_size=32, cache_tokens=20_000)
SETTINGS = Settings(COSTS, LIMITS, max_candidates=64)


def demand(n: int, response: float = 12, variation: float = 0.0) -> Demand:
    return Demand(n, Lengths(prompt=30, response=response, variation=variation, head=10, tail=10))


def latency(outcome: Outcome) -> float:
    return mean(one.seconds for one in outcome.answered)


def throughput(outcome: Outcome) -> float:
    return len(outcome.answered) / outcome.seconds


@pytest.mark.parametrize(("n", "clients"), [(1, 5), (4, 3), (16, 6)])
def test_littles_law(n: int, clients: int) -> None:
    """Clients in closed loops are always in the server: how many = answers a second x seconds each."""
    outcome = closed_loop(SETTINGS, demand(n), clients, 40 * clients)
    # The last answers, when fewer clients are left, are what the tolerance is for.
    assert throughput(outcome) * latency(outcome) == pytest.approx(clients, rel=0.05)


def test_everybody_is_answered_once() -> None:
    assert len(closed_loop(SETTINGS, demand(5), 3, 20).answered) == 20
    assert len(open_loop(SETTINGS, demand(5), 50.0, 20, replicas=2).answered) == 20


def test_no_worker_is_busy_longer_than_time_goes_on() -> None:
    outcome = closed_loop(SETTINGS, demand(8), 8, 40)
    assert outcome.engine[0].seconds <= outcome.seconds
    assert outcome.front_seconds[0] <= outcome.seconds


def test_one_answer_takes_what_its_parts_take() -> None:
    """Nothing overlaps for one plain request: all of it can be added up by hand."""
    engine, front, hop = COSTS.engine, COSTS.front, COSTS.hop
    assert isinstance(engine, LinearCosts)
    first = engine.step + engine.start + engine.sequence + 30 * engine.token
    others = 2 * (engine.step + engine.sequence + engine.token)
    last = front.step + front.token
    expected = front.request + front.candidate + 2 * hop + first + others + last
    (answered,) = closed_loop(SETTINGS, demand(1, response=3), 1, 1).answered
    assert answered.seconds == pytest.approx(expected)


def test_a_busier_server_answers_later() -> None:
    latencies = [latency(open_loop(SETTINGS, demand(8), rate, 150)) for rate in (0.5, 3.0, 6.0)]
    assert latencies == sorted(latencies)


def test_more_replicas_answer_sooner_and_more() -> None:
    outcomes = [open_loop(SETTINGS, demand(8), 20.0, 150, replicas=count) for count in (1, 2, 4)]
    rates = [throughput(one) for one in outcomes]
    assert rates == sorted(rates)
    assert latency(outcomes[0]) > latency(outcomes[1]) > latency(outcomes[2])


def test_more_candidates_and_longer_ones_cost_more() -> None:
    by_n = [throughput(closed_loop(SETTINGS, demand(n), 8, 64)) for n in (1, 2, 4, 8, 16)]
    assert by_n == sorted(by_n, reverse=True)
    by_length = [throughput(closed_loop(SETTINGS, demand(4, length), 8, 64)) for length in (4, 16, 64)]
    assert by_length == sorted(by_length, reverse=True)


def test_slower_by_a_factor_is_slower_by_that_factor() -> None:
    slow = Costs(
        LinearCosts(*(2 * cost for cost in LinearCosts(0.004, 0.0002, 1e-4, 2e-5, 0.0))),
        FrontCosts(*(2 * cost for cost in COSTS.front)),
        2 * COSTS.hop,
    )
    outcomes = [closed_loop(Settings(costs, LIMITS, 64), demand(8), 4, 20) for costs in (COSTS, slow)]
    assert outcomes[1].seconds == pytest.approx(2 * outcomes[0].seconds)


def test_admission_keeps_to_its_limit() -> None:
    """With room for one tournament at a time, many clients are answered no sooner than one."""
    narrow = SETTINGS._replace(max_candidates=8)
    assert throughput(closed_loop(narrow, demand(8), 8, 32)) == pytest.approx(
        throughput(closed_loop(narrow, demand(8), 2, 32)), rel=0.02
    )
    assert throughput(closed_loop(SETTINGS, demand(8), 8, 32)) > 1.5 * throughput(closed_loop(narrow, demand(8), 8, 32))


def test_the_same_seed_gives_the_same_run() -> None:
    runs = [open_loop(SETTINGS, demand(4, variation=0.5), 5.0, 30, seed=seed).answered for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_lengths_vary_around_their_mean() -> None:
    outcome = closed_loop(SETTINGS, demand(1, response=40, variation=0.5), 8, 600)
    assert outcome.engine[0].sampled / 600 == pytest.approx(40, rel=0.05)
