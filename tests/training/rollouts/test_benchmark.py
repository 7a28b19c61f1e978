"""The report compares the back ends step by step, and the cells are what their names say."""

import cProfile
import pstats
from pathlib import Path

import pytest
import torch
from selfjudge_training.rollouts.benchmark.cells import CELLS, RandomModel, config_of, make_model
from selfjudge_training.rollouts.benchmark.contenders import Seconds
from selfjudge_training.rollouts.benchmark.profile import Place, Spent, _inclusive
from selfjudge_training.rollouts.benchmark.report import figures_of, markdown, profile_table
from transformers import AutoModelForCausalLM


def test_ratios_are_taken_within_a_step(tmp_path: Path) -> None:
    slow = [Seconds(0.0, six, six / 3, 8.0, 4.0, 9.0) for six in (6.0, 60.0, 6.0)]
    fast = [Seconds(half, 3 * half, 4 * half, 4.0, 4.0, 9.0) for half in (0.5, 5.0, 0.5)]
    cell = CELLS["shipped"]
    figures = figures_of(cell, config_of(cell, tmp_path), {"huggingface": slow, "vllm": fast})
    assert figures["huggingface_over_vllm"] == pytest.approx(
        {"step": 2.0, "rollouts": 4.0, "processor": 2.0, "most": 4.0}
    )
    page = markdown({"machine": "a machine", "versions": {"torch": "2"}, "cells": {"shipped": figures}}, "a command")
    assert f"| {cell.name} | vllm | 4.000 | 0.500 | 1.500 | 2.000 | 4.000 | 4.0 | 9 |" in page
    assert f"| {cell.name} | 2.00 | 4.00 | 2.00 | 4.00 |" in page


def test_a_random_model_ends_as_often_as_it_should(tmp_path: Path) -> None:
    make_model(RandomModel(64, 2, 20), tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, local_files_only=True)
    ids = torch.randint(0, model.config.vocab_size, (8, 40), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ends = model(input_ids=ids).logits.softmax(-1)[..., model.config.eos_token_id]
    assert ends.mean().item() == pytest.approx(1 / 20, rel=0.1)
    assert ends.std().item() < 0.2 / 20, "after any token alike"


def outer(times: int) -> int:
    return inner(times) + inner(times)


def inner(times: int) -> int:
    return sum(range(times))


def test_a_profile_counts_what_a_function_calls() -> None:
    profile = cProfile.Profile()
    profile.runcall(outer, 200_000)
    stats = pstats.Stats(profile)
    whole, half = (_inclusive(stats, Place("test_benchmark.py", name)) for name in ("outer", "inner"))
    assert whole >= half > 0.5 * whole
    assert _inclusive(stats, Place("test_benchmark.py", "nothing")) == 0
    assert "| of it | 0.500 | 25% |" in profile_table({"vllm": Spent(2.0, {"of it": 0.5})})
