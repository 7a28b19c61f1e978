"""The miniature's tokenizer and base documents: judgments of all templates are short, and rationales too."""

import pytest
from transformers import PreTrainedTokenizerFast

from experiments.letters.model.documents import Renderer, without_choice
from experiments.letters.model.tokenizer import fixed_pieces
from experiments.paper.base import TEMPLATES
from selfjudge import Chat, JudgmentEncoder, RationalePair, SafeTokenizer, judgment_example, load_templates

CASES = [(name, principle) for name in TEMPLATES for principle in load_templates()[name].principles or (None,)]


def test_each_fixed_piece_is_one_token(tokenizer: PreTrainedTokenizerFast) -> None:
    tokens = SafeTokenizer(tokenizer)
    for piece in fixed_pieces([load_templates()[name] for name in TEMPLATES]):
        [token] = tokens.encode(piece)
        assert tokenizer.decode([token]) == piece


@pytest.mark.parametrize(("name", "principle"), CASES)
def test_judgments_of_all_templates_cost_alike(
    tokenizer: PreTrainedTokenizerFast, name: str, principle: str | None
) -> None:
    chat = Chat(SafeTokenizer(tokenizer))
    encoder = JudgmentEncoder(chat, load_templates()[name], principle, max_tokens=1000)
    at_a, at_b, cut = encoder.encode("Sort these letters: KDAZ", "ADKZ", "AKDZ")
    assert len(at_a) == len(at_b) < 30
    assert cut is None


def test_rationales_are_a_few_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = JudgmentEncoder(
        Chat(SafeTokenizer(tokenizer)), load_templates()[TEMPLATES[2]], "truthfulness", max_tokens=1000
    )
    pair = RationalePair("This is right: the answer is ADKZ.", "This is wrong: the answer is ADKZ.")
    example = judgment_example(encoder, "Sort these letters: KDAZ", "ADKZ", "AKDZ", "A", pair)
    assert str(tokenizer.decode(example.target_ids)).startswith("A\n\nEvaluation of Response A: This is right")
    assert len(example.target_ids) < 25


@pytest.mark.parametrize(("name", "principle"), CASES)
@pytest.mark.parametrize("place", ["A", "B"])
def test_half_made_judgments_end_with_the_right_answer(
    tokenizer: PreTrainedTokenizerFast, name: str, principle: str | None, place: str
) -> None:
    renderer = Renderer(tokenizer, load_templates()[name], principle)
    responses = ("ADKZ", "XX") if place == "A" else ("XX", "ADKZ")
    judgment = renderer.judgment("Sort these letters: KDAZ", *responses, "A", weight=0.0)
    document = without_choice(renderer.with_response(judgment, "A" if place == "A" else "B", 1.0))
    targets = [token for token, weight in zip(document.ids, document.weights, strict=True) if weight]
    assert str(tokenizer.decode(targets)).startswith("ADKZ\n-----\n")
    assert document.weights[-1] > 0
