"""Learning-rate schedules: factors on the peak rates, by step counted from 0."""

import math
from collections.abc import Callable


def falling(start: float, end: float, into: float) -> float:
    """A cosine from ``start`` to ``end`` while ``into`` goes from 0 to 1."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, into))))


def warm_up_then_decay(steps: int, warm_up: int, decay: int, floor: float) -> Callable[[int], float]:
    """A linear rise over ``warm_up`` steps, then constant, then over the last ``decay`` steps a cosine to ``floor``."""

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warm_up) * falling(1.0, floor, (step - (steps - decay)) / decay)

    return factor


def cosine(start: float, steps: int, offset: int = 0) -> Callable[[int], float]:
    """A cosine from ``start`` to 0 over ``steps`` steps, of which ``offset`` are past."""
    return lambda step: falling(start, 0.0, (offset + step) / steps)
