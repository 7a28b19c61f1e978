"""vLLM's own sampler, with and without the fix."""

import inspect
from collections.abc import Iterator

import pytest
import torch
from selfjudge_service.vllm_patches.sampler_patch import keep_top_logprobs, name_top_tokens
from vllm.v1.outputs import LogprobsTensors, SamplerOutput
from vllm.v1.sample.logits_processor import LogitsProcessors
from vllm.v1.sample.metadata import SamplingMetadata
from vllm.v1.sample.sampler import Sampler

ROWS, VOCABULARY, TOP = 4, 50, 5
JUDGED = 1
NAMED = [7, 9]


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(ROWS, VOCABULARY, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def unfixed() -> Iterator[None]:
    """VLLM's own sampler, in case the fix has been loaded in this process; put back afterwards."""
    before = Sampler.forward
    Sampler.forward = inspect.unwrap(before)  # type: ignore[method-assign]  # the fix assigns it, too
    yield
    Sampler.forward = before  # type: ignore[method-assign]


@pytest.fixture
def fixed(unfixed: None) -> None:
    """The fix, on vLLM's own sampler."""
    keep_top_logprobs()


def metadata(top: int | None, named: dict[int, list[int]] | None) -> SamplingMetadata:
    nothing = torch.empty(0)
    return SamplingMetadata(
        temperature=None,
        all_greedy=True,
        all_random=False,
        top_p=None,
        top_k=None,
        generators={},
        max_num_logprobs=top,
        no_penalties=True,
        prompt_token_ids=None,
        frequency_penalties=nothing,
        presence_penalties=nothing,
        repetition_penalties=nothing,
        output_token_ids=[[] for _ in range(ROWS)],
        allowed_token_ids_mask=None,
        bad_words_token_ids={},
        logitsprocs=LogitsProcessors(),
        logprob_token_ids=named,
    )


def sample(logits: torch.Tensor, top: int | None, named: dict[int, list[int]] | None) -> LogprobsTensors:
    output: SamplerOutput = Sampler()(logits.clone(), metadata(top, named))
    assert output.logprobs_tensors is not None
    return output.logprobs_tensors


def told(tensors: LogprobsTensors, row: int) -> dict[int, float]:
    pairs = zip(tensors.logprob_token_ids[row].tolist(), tensors.logprobs[row].tolist(), strict=True)
    return {int(token): value for token, value in pairs if value != float("-inf")}


@pytest.mark.usefixtures("unfixed")
def test_unfixed_a_judge_read_takes_the_other_rows_top_k(logits: torch.Tensor) -> None:
    found = told(sample(logits, TOP, {JUDGED: NAMED}), 0)
    wanted = logits[0].topk(TOP).indices.tolist()
    assert not set(wanted) <= set(found), "vLLM keeps the top k by itself: the fix can go"


@pytest.mark.usefixtures("fixed")
def test_every_row_gets_what_it_asked_for(logits: torch.Tensor) -> None:
    tensors = sample(logits, TOP, {JUDGED: NAMED})
    expected = logits.log_softmax(dim=-1)
    for row in set(range(ROWS)) - {JUDGED}:
        found = told(tensors, row)
        for token in logits[row].topk(TOP).indices.tolist():
            assert found[token] == pytest.approx(expected[row, token].item(), abs=1e-5)
    judged = told(tensors, JUDGED)
    for token in NAMED:
        assert judged[token] == pytest.approx(expected[JUDGED, token].item(), abs=1e-5)


@pytest.mark.usefixtures("fixed")
@pytest.mark.parametrize(("top", "named"), [(TOP, None), (None, {JUDGED: NAMED})])
def test_steps_that_do_not_mix_are_left_alone(
    logits: torch.Tensor, top: int | None, named: dict[int, list[int]] | None
) -> None:
    given = metadata(top, named)
    assert name_top_tokens(logits, given) is given


def test_asking_for_all_logprobs_names_the_whole_vocabulary(logits: torch.Tensor) -> None:
    named = name_top_tokens(logits, metadata(-1, {JUDGED: NAMED})).logprob_token_ids
    assert named is not None
    assert named[JUDGED] == NAMED
    assert sorted(named[0]) == list(range(VOCABULARY))


@pytest.mark.usefixtures("fixed")
def test_tokens_are_chosen_as_without_the_fix(logits: torch.Tensor) -> None:
    chosen = Sampler()(logits.clone(), metadata(TOP, {JUDGED: NAMED})).sampled_token_ids
    assert chosen.flatten().tolist() == logits.argmax(dim=-1).tolist()
