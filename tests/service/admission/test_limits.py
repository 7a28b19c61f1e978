"""Limits from settings and from the engine's size."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from pydantic import ValidationError
from selfjudge_service.admission.queue import Limits, limits_for
from selfjudge_service.settings import Settings

if TYPE_CHECKING:
    from vllm.config import VllmConfig


def engine(sequences: int = 128, blocks: int | None = 10_000, context: int = 1024, replicas: int = 1) -> "VllmConfig":
    """As much of vLLM's configuration as limits depend on; blocks hold 32 tokens."""
    config = SimpleNamespace(
        scheduler_config=SimpleNamespace(max_num_seqs=sequences),
        cache_config=SimpleNamespace(num_gpu_blocks=blocks, block_size=32),
        model_config=SimpleNamespace(max_model_len=context),
        parallel_config=SimpleNamespace(data_parallel_size=replicas),
    )
    return cast("VllmConfig", config)


@pytest.mark.parametrize(
    ("config", "candidates"),
    [
        (engine(), 128),
        (engine(replicas=2), 256),
        (engine(blocks=1_000), 31),
        (engine(context=131_072), 78),
        (engine(blocks=1), 1),
        (engine(blocks=None), 128),
        (engine(blocks=0), 128),
    ],
)
def test_the_engine_has_room_for_so_many_candidates(config: "VllmConfig", candidates: int) -> None:
    assert limits_for(Settings(), config) == Limits(candidates)


def test_an_operator_has_the_last_word() -> None:
    settings = Settings(
        max_candidates=7,
        max_tournaments=2,
        max_waiting=0,
        queue_seconds=1.5,
        key_max_requests=3,
        key_max_candidates=5,
        queue_share=0.25,
    )
    assert limits_for(settings, engine()) == Limits(7, 2, 0, 1.5, 3, 5, 0.25)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_candidates", 0),
        ("max_tournaments", 0),
        ("max_waiting", -1),
        ("queue_seconds", 0),
        ("key_max_requests", 0),
        ("key_max_candidates", 0),
    ],
)
def test_limits_that_would_let_nobody_in_are_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: value})
