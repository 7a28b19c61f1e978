"""Predictions beside measurements, of cells that the costs do not come from."""

from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

from loadtests.scale.calibrate import Calibration, Prompts, predict, prompts_of, with_its_time
from loadtests.scale.cells import Cell
from loadtests.scale.measure import Measurement
from loadtests.scale.simulate import Outcome

GOAL: Final = 0.15


class Pair(NamedTuple):
    """One figure, measured (median over rounds, least, greatest) and predicted."""

    measured: float
    low: float
    high: float
    predicted: float
    given_time: float
    """Predicted from the processor time that each round really took."""

    @property
    def error(self) -> float:
        """Of the prediction, relative."""
        return self.predicted / self.measured - 1

    @property
    def error_given_time(self) -> float:
        """What is left of the error when the machine's pace and the costs are known."""
        return self.given_time / self.measured - 1


class Checked(NamedTuple):
    """One cell."""

    cell: Cell
    prompts: Prompts
    throughput: Pair | None
    """Requests a second; none of open loops, where arrivals set it."""
    latency: Pair
    """Median seconds of a request."""


def check(calibration: Calibration, measured: Sequence[Measurement]) -> list[Checked]:
    """Every cell, its rounds together."""
    cells = dict.fromkeys(one.cell for one in measured)
    return [_check(calibration, cell, [one for one in measured if one.cell == cell]) for cell in cells]


def median_error(checked: Sequence[Checked], figure: str) -> float:
    """Median of the absolute relative errors of `throughput` or `latency`."""
    pairs: list[Pair] = [pair for one in checked if (pair := getattr(one, figure))]
    return median(abs(pair.error) for pair in pairs)


def _check(calibration: Calibration, cell: Cell, rounds: Sequence[Measurement]) -> Checked:
    given = prompts_of(*rounds)
    predicted = [predict(calibration, cell, given, one.times) for one in rounds]
    given_time = [predict(with_its_time(calibration, one), cell, given, one.times) for one in rounds]
    throughput = _pair([cell.requests / one.seconds for one in rounds], _rate(predicted, cell), _rate(given_time, cell))
    latency = _pair(
        [median(request.seconds for request in one.requests) for one in rounds], _wait(predicted), _wait(given_time)
    )
    return Checked(cell, given, None if cell.rate else throughput, latency)


def _rate(predicted: Sequence[Outcome], cell: Cell) -> float:
    return median(cell.requests / one.seconds for one in predicted)


def _wait(predicted: Sequence[Outcome]) -> float:
    return median(median(answered.seconds for answered in one.answered) for one in predicted)


def _pair(measured: Sequence[float], predicted: float, given_time: float) -> Pair:
    return Pair(median(measured), min(measured), max(measured), predicted, given_time)
