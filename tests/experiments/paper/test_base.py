"""The miniature's tokenizer and base documents: judgments of all templates are short, and rationales too."""

import pytest
from transformers import PreTrainedTokenizerFast

from experiments.letters.pretraining import pretraining_rows
from experiments.letters.tokenizer import fixed_pieces
from experiments.paper.recipe import VARIANTS
from selfjudge import Chat, JudgmentEncoder, RationalePair, SafeTokenizer, judgment_example, load_templates

TEMPLATES = tuple(dict.fromkeys(VARIANTS.values()))
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


def test_half_made_judgments_of_every_template_end_with_the_chosen_response(tokenizer: PreTrainedTokenizerFast) -> None:
    templates = [load_templates()[name] for name in TEMPLATES]
    for row in pretraining_rows(Chat(SafeTokenizer(tokenizer)), templates, 150, seed=0):
        if row["form"] == "document":
            start, end = row["replay"]
            assert end == len(row["input_ids"])
            assert "-----" in str(tokenizer.decode(row["input_ids"][end - 1 : end]))
            assert "-----" not in str(tokenizer.decode(row["input_ids"][start : end - 1]))
            assert not any(row["loss_mask"])
