"""What is measured on a real server. Costs come from the first table, and are checked against the second.

Answers have a fixed length (`ignore_eos`), so that a cell says all that a simulation needs to know of the work.
"""

from typing import Final, NamedTuple


class Cell(NamedTuple):
    """So many requests, by clients in closed loops, or as Poisson arrivals where a rate is given."""

    best_of_n: int
    prompt: int
    """Letters in the prompt, about one token each."""
    response: int
    """Tokens of each candidate."""
    clients: int
    requests: int
    rate: float = 0.0
    """Arrivals a second; `clients` means nothing then."""

    @property
    def name(self) -> str:
        """For people."""
        load = f"{self.rate:g}/s" if self.rate else f"{self.clients} client{'s' if self.clients > 1 else ''}"
        return f"N={self.best_of_n}, prompt {self.prompt}, response {self.response}, {load}"


CALIBRATION: Final = (
    Cell(1, 20, 32, clients=1, requests=15),
    Cell(1, 20, 48, clients=16, requests=160),
    Cell(1, 400, 4, clients=8, requests=120),
    Cell(2, 20, 16, clients=8, requests=160),
    Cell(4, 120, 96, clients=1, requests=6),
    Cell(4, 150, 64, clients=16, requests=48),
    Cell(8, 20, 8, clients=4, requests=80),
    Cell(16, 20, 32, clients=1, requests=12),
    Cell(16, 60, 24, clients=6, requests=36),
    Cell(16, 250, 64, clients=2, requests=10),
)

CHECK: Final = (
    Cell(1, 20, 64, clients=8, requests=64),
    Cell(2, 60, 64, clients=16, requests=96),
    Cell(4, 20, 32, clients=8, requests=80),
    Cell(4, 200, 16, clients=4, requests=60),
    Cell(8, 100, 48, clients=1, requests=10),
    Cell(8, 20, 32, clients=8, requests=48),
    Cell(12, 60, 64, clients=3, requests=15),
    Cell(16, 20, 64, clients=4, requests=16),
    Cell(16, 120, 16, clients=8, requests=40),
    Cell(4, 20, 32, clients=0, requests=64, rate=4),
    Cell(8, 20, 32, clients=0, requests=40, rate=2.5),
    Cell(16, 60, 32, clients=0, requests=20, rate=1),
)
