"""The training loop, its optimizer and schedules, on a toy model."""

from collections.abc import Iterator, Sequence

import pytest
import torch
from transformers import LlamaForCausalLM

from experiments.letters.letters_recipe import Rates
from experiments.letters.model.documents import Document, Renderer
from experiments.letters.training.loss import EarlyTargets
from experiments.letters.training.muon import orthogonalised
from experiments.letters.training.pretrain import pretraining_batches
from experiments.letters.training.schedule import cosine, warm_up_then_decay
from experiments.letters.training.trainer import Trainer

RATES = Rates(matrices=0.02, others=0.01)


def train(model: LlamaForCausalLM, renderer: Renderer, steps: int, workers: int = 1) -> list[float]:
    """Train on few documents over and over, and return the weights, flattened."""
    batches = pretraining_batches(renderer, 8, seed=1)
    few = [next(batches) for _ in range(2)]

    def repeated() -> Iterator[Sequence[Document]]:
        while True:
            yield from few

    pad = renderer.chat.tokens.source.pad_token_id
    Trainer(model, pad, RATES, EarlyTargets(2, 0.5), workers).train(repeated(), steps, cosine(1.0, steps), "test")
    weights: list[float] = torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()
    return weights


def loss_on(model: LlamaForCausalLM, renderer: Renderer) -> float:
    documents = next(pretraining_batches(renderer, 8, seed=1))
    total = 0.0
    for document in documents:
        logprobs = model(input_ids=torch.tensor([document.ids])).logits[0].log_softmax(-1).tolist()
        total -= sum(w * logprobs[i - 1][document.ids[i]] for i, w in enumerate(document.weights) if w)
    return total / len(documents)


def test_twenty_steps_learn_what_they_are_shown(toy_model: LlamaForCausalLM, renderer: Renderer) -> None:
    before = loss_on(toy_model, renderer)
    train(toy_model, renderer, 20)
    assert loss_on(toy_model, renderer) < 0.6 * before


def test_equal_seeds_give_equal_weights_and_workers_share_the_work(
    toy_model: LlamaForCausalLM, renderer: Renderer
) -> None:
    results = []
    for workers in (2, 1, 1):
        model = twin_of(toy_model)
        results.append(train(model, renderer, 4, workers))
    assert results[1] == results[2]
    assert results[0] == pytest.approx(results[1], abs=1e-3)


def twin_of(model: LlamaForCausalLM) -> LlamaForCausalLM:
    twin = LlamaForCausalLM(model.config)
    twin.load_state_dict(model.state_dict())
    return twin


def test_a_loss_that_is_not_finite_stops_training(toy_model: LlamaForCausalLM, renderer: Renderer) -> None:
    with torch.no_grad():
        next(toy_model.parameters()).fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="lower the learning rates"):
        train(toy_model, renderer, 1)


@pytest.mark.parametrize("shape", [(8, 8), (8, 32), (32, 8)])
def test_muon_makes_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(matrix))
    assert 0.5 < float(values.min()) < float(values.max()) < 1.4


def test_schedules_rise_hold_and_fall() -> None:
    factor = warm_up_then_decay(100, warm_up=10, decay=50, floor=0.25)
    assert [factor(step) for step in (0, 9, 49)] == pytest.approx([0.1, 1.0, 1.0])
    assert factor(75) == pytest.approx(0.625)
    assert factor(99) == pytest.approx(0.25, abs=0.01)
    second_half = cosine(0.25, 100, offset=50)
    assert second_half(0) == pytest.approx(0.125)
    assert second_half(50) == pytest.approx(0.0)
