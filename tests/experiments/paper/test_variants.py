"""Weights and batches of the variants' JSFT."""

from itertools import islice
from typing import Literal

import pytest
from selfjudge_training.data.examples.jsft_set import JsftExample
from transformers import PreTrainedTokenizerFast

from experiments.letters.model.documents import Document
from experiments.paper.base import TemplateRenderer
from experiments.paper.shared_tokenizer import TEMPLATES
from experiments.paper.variants import _batches, _document, _units
from selfjudge import load_templates

MASK = [False, False, True, True, True]


def test_targets_share_their_examples_weight() -> None:
    dialogue = _document(JsftExample([1, 2, 3, 4, 5], MASK, "dialogue"), {}, 0.3)
    assert dialogue.weights == pytest.approx([0, 0, 1 / 3, 1 / 3, 1 / 3])
    judgment = _document(JsftExample([1, 2, 3, 4, 5], MASK, "judgment", "A"), {}, 0)
    assert judgment.weights == [0, 0, 1, 0.5, 0.5]


def test_the_chosen_response_within_a_judgment_is_a_target(tokenizer: PreTrainedTokenizerFast) -> None:
    renderer = TemplateRenderer(tokenizer, load_templates()[TEMPLATES[0]], None)
    ids, weights = renderer.judgment("Sort these letters: KDAZ", "AKDZ", "ADKZ", "B")
    example = JsftExample(ids, [weight > 0 for weight in weights], "judgment", "B")
    plain, replayed = (_document(example, {None: renderer}, replay) for replay in (0, 0.3))
    added = [after - before for before, after in zip(plain.weights, replayed.weights, strict=True)]
    assert sum(added) == pytest.approx(0.3)
    targets = [token for token, weight in zip(ids, added, strict=True) if weight]
    assert str(tokenizer.decode(targets)).startswith("ADKZ\n")
    # What was cut may lack a border to find the response by.
    assert _document(example._replace(cut=True), {None: renderer}, 0.3) == plain


def test_every_epoch_has_every_document_in_another_order() -> None:
    documents = [Document([number, 0], [0.0, 1.0]) for number in range(10)]
    units = [[document] for document in documents]
    batches = list(islice(_batches(units, 4, seed=0), 5))
    seen = [document.ids[0] for batch in batches for document in batch]
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]
    assert list(islice(_batches(units, 4, seed=0), 5)) == batches
    assert list(islice(_batches(units, 4, seed=1), 5)) != batches


def test_the_orders_of_a_pair_share_a_batch() -> None:
    kinds: list[tuple[Literal["dialogue", "judgment"], Literal["A", "B"] | None]]
    kinds = [("dialogue", None), ("dialogue", None), *(("judgment", "A"), ("judgment", "B")) * 4]
    examples = [JsftExample([number, 0, 0], MASK[1:4], kind, choice) for number, (kind, choice) in enumerate(kinds)]
    units = _units(examples, {}, 0)
    assert [[document.ids[0] for document in unit] for unit in units] == [[0], [1], [2, 3], [4, 5], [6, 7], [8, 9]]
    seen = [document.ids[0] for batch in islice(_batches(units, 2, seed=0), 50) for document in batch]
    assert all(seen[place + 1] == number + 1 for place, number in enumerate(seen[:-1]) if number in (2, 4, 6, 8))
