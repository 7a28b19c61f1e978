"""Costs are found again from what a server with these costs would have shown."""

from statistics import median

import pytest

from loadtests.scale.calibrate import Calibration, Prompts, calibrate, predict
from loadtests.scale.cells import CALIBRATION, CHECK, Cell
from loadtests.scale.check import check, median_error
from loadtests.scale.costs import FrontCosts, LinearCosts
from loadtests.scale.measure import Measurement, Request, Work

TRUE = Calibration(
    LinearCosts(step=0.004, start=0.0003, sequence=2e-4, token=3e-5, pair=0.0),
    FrontCosts(request=0.003, candidate=0.0012, match=0.0015, judge_token=0.0, step=4e-4, token=2e-5),
    stretch=1.3,
    hop=4e-4,
)
PROMPT = 40


def pretend(cell: Cell) -> Measurement:
    """What would be measured of a cell if the server were a simulation."""
    judge_prompt = PROMPT + 2 * round(1.25 * cell.response)
    outcome = predict(TRUE, cell, Prompts(PROMPT, judge_prompt))
    spent, n = outcome.engine[0], cell.best_of_n
    reads = 2 * (n - 1)
    requests = [
        Request(answered.seconds, PROMPT, n * cell.response, n - 1, reads * judge_prompt, 0)
        for answered in outcome.answered
    ]
    works = cell.requests * (n + reads)
    work = Work(
        front_seconds=outcome.front_seconds[0] / TRUE.stretch,
        engine_seconds=spent.seconds / TRUE.stretch,
        steps=spent.steps,
        requests=works,
        prompt_tokens=spent.computed - spent.sampled + works,
        sampled_tokens=spent.sampled,
    )
    return Measurement(cell, [], outcome.seconds, requests, work)


def half_as_fast(one: Measurement) -> Measurement:
    requests = [request._replace(seconds=2 * request.seconds) for request in one.requests]
    return one._replace(seconds=2 * one.seconds, requests=requests)


@pytest.fixture(scope="module")
def found() -> Calibration:
    return calibrate([pretend(cell) for cell in CALIBRATION])


def test_costs_are_found_again(found: Calibration) -> None:
    assert found.engine.step == pytest.approx(TRUE.engine.step, rel=0.1)
    assert found.engine.sequence + found.engine.token == pytest.approx(2.3e-4, rel=0.2)
    assert found.stretch == pytest.approx(1.3, rel=0.02)
    assert all(cost >= 0 for cost in (*found.engine, *found.front))


def test_predictions_of_other_cells_are_right(found: Calibration) -> None:
    checked = check(found, [pretend(cell) for cell in CHECK if not cell.rate])
    assert median_error(checked, "throughput") < 0.03
    assert median_error(checked, "latency") < 0.03


def test_a_wrong_prediction_is_seen(found: Calibration) -> None:
    """A server that is twice as slow as it was when it was calibrated fails the check."""
    (checked,) = check(found, [half_as_fast(pretend(CHECK[2]))])
    assert (checked.latency.error, checked.latency.error_given_time) == pytest.approx((-0.5, -0.5), abs=0.05)
    assert checked.throughput is not None
    assert (checked.throughput.error, checked.throughput.error_given_time) == pytest.approx((1.0, 1.0), abs=0.1)


def test_processor_time_tells_a_slow_machine_from_a_wrong_model(found: Calibration) -> None:
    slow = half_as_fast(pretend(CHECK[2]))
    work = slow.work._replace(front_seconds=2 * slow.work.front_seconds, engine_seconds=2 * slow.work.engine_seconds)
    (checked,) = check(found, [slow._replace(work=work)])
    assert checked.latency.error == pytest.approx(-0.5, abs=0.05)
    assert checked.latency.error_given_time == pytest.approx(0.0, abs=0.05)


def test_no_cell_is_both_calibrated_on_and_checked() -> None:
    def work(cell: Cell) -> tuple[float, ...]:
        return cell.best_of_n, cell.prompt, cell.response, cell.clients, cell.rate

    assert not {work(cell) for cell in CALIBRATION} & {work(cell) for cell in CHECK}


def test_several_rounds_are_one_figure(found: Calibration) -> None:
    cell = CHECK[0]
    rounds = [pretend(cell)._replace(seconds=seconds) for seconds in (1.0, 2.0, 4.0)]
    (checked,) = check(found, rounds)
    assert checked.throughput is not None
    assert checked.throughput.measured == median(cell.requests / seconds for seconds in (1.0, 2.0, 4.0))
    assert (checked.throughput.low, checked.throughput.high) == (cell.requests / 4, cell.requests)
