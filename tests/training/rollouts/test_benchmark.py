"""The report compares the back ends step by step."""

from pathlib import Path

import pytest

from training.rollouts.benchmark import Seconds, markdown, report
from training.self_training.config import Prompts, SelfTrainingConfig


def test_ratios_are_taken_within_a_step() -> None:
    config = SelfTrainingConfig(model=Path("models", "some-model"), prompts=Prompts(checkable=64))
    slow = [Seconds(0.0, 6.0, 2.0, 8.0, 4.0), Seconds(0.0, 60.0, 20.0, 80.0, 4.0), Seconds(0.0, 6.0, 2.0, 8.0, 4.0)]
    fast = [Seconds(0.5, 1.5, 2.0, 4.0, 4.0), Seconds(5.0, 15.0, 20.0, 40.0, 4.0), Seconds(0.5, 1.5, 2.0, 4.0, 4.0)]
    figures = report(config, {"huggingface": slow, "vllm": fast}, "some command")
    assert figures["huggingface_over_vllm"] == pytest.approx({"step": 2.0, "rollouts": 4.0, "processor": 2.0})
    assert figures["median_seconds"]["vllm"]["step"] == pytest.approx(4.0)
    page = markdown(figures)
    assert "| vllm | 4.000 | 0.500 | 1.500 | 2.000 | 4.000 | 4.0 |" in page
    assert "the whole step 2.00" in page
    assert "some-model" in page
