"""The whole benchmark, small, on the real engine and the tiny model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_quick_run_measures_all_contenders_on_equal_work(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loadtests", "--quick", "--rounds", "1", "--output", str(tmp_path)]
    subprocess.run([*command, "--best-of-n", "1", "4", "--clients", "2"], check=True)
    data = json.loads((tmp_path / "raw" / "speed.json").read_text())
    assert [run["cell"]["best_of_n"] for run in data["runs"]] == [1, 4]
    of_four = data["runs"][1]["contenders"]
    assert set(of_four) == {"bound", "server", "client", "thrifty client", "sampling"}
    # The server's samples are others, of the same lengths on average.
    tokens = [of_four[name]["sampled_tokens"] for name in ("bound", "server", "client")]
    assert max(tokens) <= 1.5 * min(tokens)
    assert all(contender["seconds"] > 0 for contender in of_four.values())
    assert of_four["sampling"]["judgments"] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "speed.md", "speed.png"}
