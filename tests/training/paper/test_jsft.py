"""Weights and batches of the variants' JSFT."""

from itertools import islice

import pytest

from training.data.jsft import JsftExample
from training.paper.jsft import _batches, _document


def test_targets_share_their_examples_weight() -> None:
    dialogue = _document(JsftExample([1, 2, 3, 4, 5], [False, False, True, True, True], "dialogue"))
    assert dialogue.weights == pytest.approx([0, 0, 1 / 3, 1 / 3, 1 / 3])
    judgment = _document(JsftExample([1, 2, 3, 4, 5], [False, False, True, True, True], "judgment", "A"))
    assert judgment.weights == [0, 0, 1, 0.5, 0.5]


def test_every_epoch_has_every_example_in_another_order() -> None:
    examples = [JsftExample([number, 0], [False, True], "dialogue") for number in range(10)]
    batches = list(islice(_batches(examples, 4, seed=0), 5))
    seen = [document.ids[0] for batch in batches for document in batch]
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]
    assert list(islice(_batches(examples, 4, seed=0), 5)) == batches
    assert list(islice(_batches(examples, 4, seed=1), 5)) != batches
