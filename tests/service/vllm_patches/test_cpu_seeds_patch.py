"""The generators that vLLM's model runner is given, with the fix; test_narrow_server.py asks a real engine."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from selfjudge_service.vllm_patches.cpu_seeds_patch import put_generators_aside
from vllm.v1.worker.gpu_model_runner import GPUModelRunner


class Stub:
    """What stands for vLLM's sampling: notes whose generators are there, and may fail."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []
        self.fails = False

    def __call__(self, runner: GPUModelRunner, grammar: object) -> str:
        self.rows.append(sorted(runner.input_batch.generators))
        if self.fails:
            raise RuntimeError("sampling failed")
        return "sampled"


@pytest.fixture
def stub() -> Iterator[Stub]:
    before, stub = GPUModelRunner.sample_tokens, Stub()

    def sample_tokens(self: GPUModelRunner, grammar: object) -> str:
        return stub(self, grammar)

    GPUModelRunner.sample_tokens = sample_tokens  # type: ignore[assignment,method-assign]
    put_generators_aside()
    yield stub
    GPUModelRunner.sample_tokens = before  # type: ignore[method-assign]


def runner() -> GPUModelRunner:
    """Three requests, the first two with seeds; prompts of the second and third are not complete."""
    made = GPUModelRunner.__new__(GPUModelRunner)
    made.input_batch = cast(
        "object", SimpleNamespace(num_reqs=3, generators={row: torch.Generator() for row in (0, 1)})
    )  # type: ignore[assignment]
    made.discard_request_mask = SimpleNamespace(np=np.array([False, True, True, True]))  # type: ignore[assignment]
    return made


def sample(ours: GPUModelRunner) -> str:
    # torch's decorator hides the method's type.
    return cast("Callable[[GPUModelRunner, object], str]", GPUModelRunner.sample_tokens)(ours, None)


def test_generators_of_unfinished_prompts_rest(stub: Stub) -> None:
    ours = runner()
    before = dict(ours.input_batch.generators)
    assert sample(ours) == "sampled"
    assert stub.rows == [[0]]
    assert ours.input_batch.generators == before


def test_they_come_back_after_an_error(stub: Stub) -> None:
    ours = runner()
    stub.fails = True
    with pytest.raises(RuntimeError, match="sampling failed"):
        sample(ours)
    assert sorted(ours.input_batch.generators) == [0, 1]
