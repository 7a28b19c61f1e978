"""Figures that the paper printed (arXiv 2402.11253), to stand beside ours."""

from typing import NamedTuple


class Judged(NamedTuple):
    """A row of table 2 or 5, in percent."""

    accuracy: float
    win_rate: float | None
    """AlpacaEval; None where it has no policy."""


class Arm(NamedTuple):
    """A row of table 4: win rates against text-davinci-003 and the SFT model in percent, and a score from 1 to 10."""

    alpaca_eval: float
    vicuna_eval: float
    mt_bench: float


TABLE_2 = {"judge-only": Judged(66.49, None), "jm": Judged(68.32, 5.78)}
"""On HH-Helpful, `base` split."""

TABLE_4 = {
    "offline": Arm(28.57, 58.75, 4.68),
    "off-policy": Arm(32.03, 64.38, 4.59),
    "on-policy": Arm(44.88, 76.25, 4.80),
}
"""On HH-Helpful."""

TABLE_5 = {"jm": Judged(80.5, 67.4), "jm-p": Judged(81.6, 59.3), "jm-pr": Judged(84.0, 65.7)}
"""On UltraFeedback."""

TABLE_6 = {"JM": {1: 80.75, 16: 84.47}, "JM-PR": {1: 79.98, 16: 88.39}}
"""AlpacaEval on UltraFeedback by N; figure 4 plots these and what lies between without printing numbers."""
