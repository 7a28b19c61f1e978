"""What is written can be read again, and says what it must."""

import json
from pathlib import Path

from loadtests.scale.assumptions import SHIPPED, load
from loadtests.scale.calibrate import Calibration, Prompts
from loadtests.scale.cells import Cell
from loadtests.scale.check import Checked, Pair
from loadtests.scale.costs import FrontCosts, LinearCosts
from loadtests.scale.files import read, write
from loadtests.scale.measure import Measured, Measurement, Request, Work
from loadtests.scale.page import Report, markdown
from loadtests.scale.plan import Plan

CALIBRATION = Calibration(
    LinearCosts(0.004, 0.0002, 1e-4, 2e-5, 0.0),
    FrontCosts(0.002, 0.001, 0.001, 0.0, 3e-4, 1e-5),
    1.2,
    4e-4,
)
PLAN = Plan("H100 SXM", 1, 1.5, 834, 834, 9.0, 12.0, 0.1, 0.25, 0.58)
CHECKED = Checked(
    Cell(4, 20, 32, 8, 80), Prompts(44, 120), Pair(10.0, 9.0, 11.0, 11.0, 10.5), Pair(0.8, 0.7, 0.9, 0.6, 0.76)
)
MEASURED = Measured(
    "check",
    1,
    Measurement(CHECKED.cell, [], 8.0, [Request(0.8, 44, 128, 3, 720, 240)], Work(1.5, 6.5, 90, 10, 524, 134)),
)
REPORT = Report(
    {"date": "today"}, CALIBRATION, [MEASURED], [CHECKED], load(SHIPPED, []), [PLAN], [("traffic.best_of_n = 8", PLAN)]
)


def test_measurements_are_read_back(tmp_path: Path) -> None:
    paths = write(tmp_path, REPORT)
    assert [path.name for path in paths] == ["scale.json", "scale.md", "scale.png", "scale.svg"]
    assert read(paths[0]) == ({"date": "today"}, [MEASURED])
    (checked,) = json.loads(paths[0].read_text())["checked"]
    assert checked["errors"] == {"throughput": 0.1, "latency": -0.25}
    assert checked["errors_given_time"] == {"throughput": 0.05, "latency": -0.05}


def test_the_page_says_where_the_model_is_wrong() -> None:
    page = markdown(REPORT)
    assert "8 clients | 10.0 (9.0-11.0) | 11.0 | +10% | +5% | 0.800 (0.700-0.900) | 0.600 | **-25%** | -5% |" in page
    assert "Median error: throughput 10%, latency 25%. 1 of 2 figures are within 15%, and 2 with" in page
    assert "1000 requests/s of N=16 would take 834 H100 SXM in 834 replicas." in page
    assert "nothing was measured on a GPU" in page
