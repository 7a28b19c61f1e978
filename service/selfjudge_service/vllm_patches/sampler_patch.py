"""Keeps a judge read from shortening the `top_logprobs` of another request in the same engine step.

Where one row of a batch names token ids and another asks for its top k, the sampler of vLLM 0.32 and 0.33 answers every
row with named ids only (vLLM pull request 51789), so a user's list comes back with nothing but the sampled token. The
patch names the top k of the rows that name none. It costs nothing in steps that do not mix the two.
"""

import dataclasses
import functools
from typing import Any

import torch
from vllm.v1.outputs import SamplerOutput
from vllm.v1.sample.metadata import SamplingMetadata
from vllm.v1.sample.sampler import Sampler


def keep_top_logprobs() -> None:
    """Wraps vLLM's sampler."""
    unfixed = Sampler.forward

    @functools.wraps(unfixed)
    def forward(
        self: Sampler,
        logits: torch.Tensor,
        sampling_metadata: SamplingMetadata,
        *args: Any,  # noqa: ANN401  passed through
        **kwargs: Any,  # noqa: ANN401
    ) -> SamplerOutput:
        return unfixed(self, logits, name_top_tokens(logits, sampling_metadata), *args, **kwargs)

    Sampler.forward = forward  # type: ignore[method-assign]  # the patch is this assignment


def name_top_tokens(logits: torch.Tensor, metadata: SamplingMetadata) -> SamplingMetadata:
    """The same metadata, where rows that named no tokens name their k most probable ones, if the step mixes both.

    Args:
        logits: [rows, vocabulary], before any processing.
        metadata: of the same rows.
    """
    named, k = metadata.logprob_token_ids, metadata.max_num_logprobs
    if not named or k is None:
        return metadata
    width = logits.shape[-1] if k < 0 else k
    top = logits.topk(width, dim=-1).indices.tolist()
    return dataclasses.replace(metadata, logprob_token_ids=dict(enumerate(top)) | named)
