"""Keeps a request with a seed from ending the engine on a CPU, where its prompt is computed in chunks.

A step that computes a part of a prompt samples a token that is dropped, and vLLM 0.32 then turns the request's random
generator back by an offset. Generators of a CPU have no offset: the exception ends the engine, and with it every
request in flight. Here such generators are put aside for the step, so that they need no turning back. Generators of
GPUs have one.
"""

import functools
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from vllm.v1.worker.gpu_model_runner import GPUModelRunner

if TYPE_CHECKING:
    from collections.abc import Callable


def put_generators_aside() -> None:
    """Wraps the sampling of vLLM's model runner."""
    # torch's decorator hides the method's type.
    unfixed = cast("Callable[..., Any]", GPUModelRunner.sample_tokens)

    @functools.wraps(unfixed)
    def sample_tokens(self: GPUModelRunner, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  passed through
        generators = self.input_batch.generators
        dropped = np.nonzero(self.discard_request_mask.np[: self.input_batch.num_reqs])[0]
        aside = {int(row): generators.pop(int(row)) for row in dropped if int(row) in generators}
        try:
            return unfixed(self, *args, **kwargs)
        finally:
            generators.update(aside)

    GPUModelRunner.sample_tokens = sample_tokens  # type: ignore[assignment, method-assign]  # the patch
