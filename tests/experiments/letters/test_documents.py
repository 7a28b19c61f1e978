"""What documents hold, which of their tokens are targets, and that weights go by example."""

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from experiments.letters.model.documents import Document, Renderer, without_choice
from experiments.letters.training.batches import MAX_TOKENS, micro_batches
from experiments.letters.training.loss import EarlyTargets, weighted_loss


def targets(renderer: Renderer, document: Document) -> str:
    ids = [token for token, weight in zip(document.ids, document.weights, strict=True) if weight]
    return str(renderer.chat.tokens.source.decode(ids))


@pytest.mark.parametrize("answer", ["7", "ABCDEF"])
def test_a_dialogue_weighs_the_same_however_long_its_answer(renderer: Renderer, answer: str) -> None:
    document = renderer.dialogue("Reverse X", answer, system=True)
    assert targets(renderer, document) == f"{answer}<|eos|>"
    assert sum(document.weights) == pytest.approx(1)


def test_the_system_message_is_there_only_where_asked_for(renderer: Renderer) -> None:
    system = renderer.chat.tokens.source.convert_tokens_to_ids("<|system|>")
    assert renderer.dialogue("Reverse AB", "BA", system=True).ids[0] == system
    assert system not in renderer.dialogue("Reverse AB", "BA", system=False).ids


def test_the_choice_weighs_as_much_as_an_answer(renderer: Renderer) -> None:
    document = renderer.judgment("Reverse ABC", "CBA", "CAB", "A", weight=2.0)
    assert targets(renderer, document) == "A<|eos|>"
    assert document.weights[-2:] == [1.0, 1.0]
    assert document.ids[:-2] == renderer.encoder.encode("Reverse ABC", "CBA", "CAB").first_at_a


@pytest.mark.parametrize("response", ["CBA", "", "-----", "Response B:\nCBA", "12 ü\n\n"])
def test_responses_are_found_in_a_judgment(renderer: Renderer, response: str) -> None:
    judgment = renderer.judgment("Reverse ABC", response, "CAB", "B")
    (start, end), (start_b, end_b) = renderer.places(judgment.ids)
    tokens = renderer.chat.tokens.source
    assert tokens.decode(judgment.ids[start_b:end_b]) == "CAB"
    assert str(tokens.decode(judgment.ids[start:end])).replace("> ", "") == response


def test_a_right_answer_within_a_judgment_is_one_more_target(renderer: Renderer) -> None:
    judgment = renderer.judgment("Reverse ABC", "CAB", "CBA", "B", weight=2.0)
    document = renderer.with_response(judgment, "B", 0.5)
    assert sum(document.weights) == pytest.approx(2.5)
    assert targets(renderer, document).startswith("CBA")
    assert "CAB" not in targets(renderer, document)


def test_pretraining_reads_a_judgment_without_its_choice(renderer: Renderer) -> None:
    judgment = renderer.judgment("Reverse ABC", "CBA", "", "A", weight=0.0)
    document = without_choice(renderer.with_response(judgment, "A", 1.0))
    assert targets(renderer, document).startswith("CBA")
    assert document.weights[-1] > 0
    assert len(document.ids) < len(judgment.ids)


def test_micro_batches_hold_every_document_once_and_little_padding() -> None:
    documents = [Document([length] * length, [1.0] * length) for length in range(1, 120)]
    batches = micro_batches(documents, pad_id=0, workers=2)
    rows = [row[row > 0].tolist() for batch in batches for row in batch.ids]
    assert sorted(rows, key=len) == [document.ids for document in documents]
    assert len(batches) % 2 == 0
    assert all((batch.ids > 0).sum() < 1.3 * MAX_TOKENS for batch in batches)
    assert sum(batch.ids.numel() for batch in batches) < 1.2 * sum(map(len, rows))
    assert all(((batch.ids == 0) == (batch.weights == 0)).all() for batch in batches)


def test_the_loss_is_the_weighted_cross_entropy_whatever_the_padding(
    toy_model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, renderer: Renderer
) -> None:
    documents = [
        renderer.dialogue("Reverse ABC", "CBA", system=False, weight=0.5),
        renderer.judgment("Reverse ABCDEF", "FEDCBA", "FEDCAB", "A", weight=2.0),
    ]
    expected = 0.0
    for document in documents:
        logprobs = toy_model(input_ids=torch.tensor([document.ids])).logits[0].log_softmax(-1).tolist()
        for index, weight in enumerate(document.weights):
            expected -= weight * logprobs[index - 1][document.ids[index]]
    batches = micro_batches(documents, tokenizer.pad_token_id, workers=1)
    assert len(batches) == 1
    assert weighted_loss(toy_model, batches[0], None).item() == pytest.approx(expected, rel=1e-4)
    assert weighted_loss(toy_model, batches[0], EarlyTargets(2, 0.5)).item() > expected
