"""Plans for GPUs, and what is assumed for them."""

from pathlib import Path

import pytest

from loadtests.scale.assumptions import SHIPPED, Assumptions, AssumptionsError, load
from loadtests.scale.costs import FrontCosts, Step
from loadtests.scale.plan import plan
from loadtests.scale.roofline import RooflineCosts, kv_bytes

FRONT = FrontCosts(request=0.002, candidate=0.001, match=0.001, judge_token=0.0, step=3e-4, token=1e-5)
SMALL = [
    "traffic.best_of_n=2",
    "traffic.response_tokens=16",
    "traffic.prompt_tokens=64",
    "traffic.response_variation=0",
]


def costs(assumptions: Assumptions, gpus: int = 1) -> RooflineCosts:
    return RooflineCosts(assumptions.gpus["h100"], gpus, assumptions.model, assumptions.efficiency)


@pytest.fixture
def ideal() -> Assumptions:
    """Everything that the data sheet promises, and no overhead."""
    return load(SHIPPED, ["efficiency.compute=1", "efficiency.bandwidth=1", "efficiency.step_overhead_ms=0"])


def test_a_token_of_one_sequence_streams_the_weights(ideal: Assumptions) -> None:
    step = Step(starts=0, sequences=1, tokens=1, pairs=0, context=0)
    assert costs(ideal).seconds(step) == pytest.approx(7.61e9 * 2 / 3.35e12)


def test_a_long_prompt_is_bound_by_computing(ideal: Assumptions) -> None:
    step = Step(starts=1, sequences=1, tokens=8192, pairs=0, context=0)
    assert costs(ideal).seconds(step) == pytest.approx(2 * 7.61e9 * 8192 / 989e12)


def test_keys_and_values_of_one_token(ideal: Assumptions) -> None:
    assert kv_bytes(ideal.model) == 2 * 28 * 4 * 128 * 2


def test_two_gpus_are_faster_but_not_twice_as_fast() -> None:
    assumptions = load(SHIPPED, [])
    step = Step(starts=0, sequences=100, tokens=100, pairs=50_000, context=50_000)
    one, two = (costs(assumptions, gpus).seconds(step) for gpus in (1, 2))
    assert one / 2 < two < one


def test_a_model_that_does_not_fit_is_told() -> None:
    with pytest.raises(ValueError, match="does not fit 1 x H100 SXM"):
        costs(load(SHIPPED, ["model.parameters_billion=70"])).limits()


def test_twice_the_load_needs_twice_the_replicas() -> None:
    once, twice = (
        plan(load(SHIPPED, [*SMALL, f"traffic.requests_per_second={rate}"]), "h100", 1, FRONT, 0.0)
        for rate in (10_000, 20_000)
    )
    assert twice.replicas == pytest.approx(2 * once.replicas, abs=1)
    assert twice.capacity == once.capacity
    assert once.p50 <= once.p95


def test_a_slow_front_end_is_the_limit() -> None:
    slow = FrontCosts(*(100 * cost for cost in FRONT))
    found = plan(load(SHIPPED, SMALL), "h100", 1, slow, 0.0)
    assert found.front_busy > 0.9


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("traffic.best_of=4", "expected KEY=VALUE, with a key such as traffic.best_of_n"),
        ("traffic.best_of_n", "expected KEY=VALUE"),
        ("traffic.best_of_n=0", "traffic.best_of_n: Input should be greater than or equal to 1"),
        ("efficiency.compute=1.5", "efficiency.compute: Input should be less than or equal to 1"),
    ],
)
def test_what_can_not_be_is_told_with_its_key(change: str, told: str) -> None:
    with pytest.raises(AssumptionsError, match=told):
        load(SHIPPED, [change])


def test_every_assumption_names_its_source() -> None:
    assumptions = load(SHIPPED, [])
    sources = [assumptions.model.source, assumptions.efficiency.source, assumptions.traffic.source]
    sources += [gpu.source for gpu in assumptions.gpus.values()]
    assert all(len(source) > 10 for source in sources)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(SHIPPED.read_text().replace("bandwidth_tb_s: 3.35", "bandwidth_tb_s: 2.0"))
    assert load(own, []).gpus["h100"].bandwidth_tb_s == 2.0
