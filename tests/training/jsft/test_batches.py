"""Which examples make up a step, and what each target weighs."""

import pytest
import torch
from selfjudge_training.data.examples.jsft_example import JsftExample
from selfjudge_training.jsft.batches import IGNORED, Sharing, Weighting, collate, in_steps
from selfjudge_training.jsft.examples import as_row

DIALOGUE = JsftExample([5, 6, 7, 8, 9], [False, True, True, True, True])
JUDGMENT = JsftExample([5, 6, 7, 3], [False, False, True, True], "A")
EXPLAINED = JsftExample([5, 3, 7, 8, 9], [False, True, True, True, True], "A")

ALONE = [[index] for index in range(10)]
LENGTHS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
SHARING = Sharing(1, 1)


def test_an_epoch_shows_every_example_once_and_the_next_in_another_order() -> None:
    order = in_steps(ALONE, LENGTHS, batch=5, steps=4, seed=0, sharing=SHARING)
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))
    assert order[:10] != order[10:]
    assert order != in_steps(ALONE, LENGTHS, batch=5, steps=4, seed=1, sharing=SHARING)


def test_a_step_goes_from_long_to_short_and_what_fills_no_batch_is_left_out() -> None:
    order = in_steps(ALONE, LENGTHS, batch=4, steps=2, seed=0, sharing=SHARING)
    assert len(set(order)) == 8
    for step in (order[:4], order[4:]):
        assert [LENGTHS[index] for index in step] == sorted((LENGTHS[index] for index in step), reverse=True)


def test_processes_compute_equal_micro_batches_about_equally_long() -> None:
    sharing, step = Sharing(micro_batch=2, processes=2), list(range(16))
    dealt = sharing.dealt(step)
    assert sorted(dealt) == step
    taken = [dealt[start : start + 2] for start in range(0, 16, 2)]
    alone = [step[start : start + 2] for start in range(0, 16, 2)]
    for process in range(2):
        own = taken[process::2]
        assert own == [alone[sharing.number(place, process)] for place in range(4)]
        assert sum(map(sum, own)) == sum(step) / 2


def test_a_pair_in_both_orders_is_in_one_step() -> None:
    units = [[0], [1], *([index, index + 1] for index in range(2, 40, 2))]
    order = in_steps(units, [1] * 40, batch=8, steps=15, seed=0, sharing=SHARING)
    for epoch in (order[:40], order[40:80], order[80:]):
        steps = [set(epoch[start : start + 8]) for start in range(0, 40, 8)]
        apart = [unit for unit in units if not any(step.issuperset(unit) for step in steps)]
        assert len(apart) <= 4, "more pairs are torn apart than steps end within an epoch"


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        ("tokens", [[0, 1, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 1, 1]]),
        ("examples", [[0, 1 / 4, 1 / 4, 1 / 4, 1 / 4], [0, 0, 1, 1, 0], [0, 1, 1 / 3, 1 / 3, 1 / 3]]),
    ],
)
def test_targets_weigh_alike_or_their_examples_do(weighting: Weighting, expected: list[list[float]]) -> None:
    batch = collate([as_row(each) for each in (DIALOGUE, JUDGMENT, EXPLAINED)], pad_id=1, weighting=weighting)
    torch.testing.assert_close(batch["weights"], torch.tensor(expected, dtype=torch.float32))


def test_a_replayed_response_is_a_target_of_its_weight() -> None:
    row = as_row(JsftExample([5, 6, 7, 8, 3, 9], [False] * 4 + [True] * 2, "A", replay=(1, 3)))
    by_example = collate([row], pad_id=1, weighting="examples", replay=0.5)
    assert by_example["weights"].tolist() == [[0, 0.25, 0.25, 0, 1, 1]]
    assert by_example["labels"].tolist() == [[IGNORED, 6, 7, IGNORED, 3, 9]]
    assert by_example["choices"].tolist() == [[False] * 4 + [True, False]]
    assert collate([row], pad_id=1, weighting="tokens", replay=0.5)["weights"].tolist() == [[0, 0.5, 0.5, 0, 1, 1]]


def test_rows_are_padded_on_the_right_and_only_targets_are_labels() -> None:
    batch = collate([as_row(DIALOGUE), as_row(JUDGMENT)], pad_id=1)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9], [5, 6, 7, 3, 1]]
    assert batch["labels"].tolist() == [[IGNORED, 6, 7, 8, 9], [IGNORED, IGNORED, 7, 3, IGNORED]]
    assert batch["choices"].tolist() == [[False] * 5, [False, False, True, False, False]]


def test_a_demonstrated_response_weighs_what_is_said_beside_its_label() -> None:
    example = JsftExample([5, 6, 7, 8, 3, 9], [False] * 4 + [True] * 2, "yes", replay=(1, 3), question="score")
    by_example = collate([as_row(example)], pad_id=1, weighting="examples", replay=9.0, demonstration=0.5)
    assert by_example["weights"].tolist() == [[0, 0.25, 0.25, 0, 1, 1]]
    by_token = collate([as_row(example)], pad_id=1, weighting="tokens", replay=9.0, demonstration=0.5)
    assert by_token["weights"].tolist() == [[0, 0.5, 0.5, 0, 1, 1]]


def test_choices_are_told_apart_by_form() -> None:
    rows = [as_row(DIALOGUE), *(as_row(JUDGMENT._replace(question=form)) for form in ("document", "pair", "score"))]
    assert collate(rows, pad_id=1)["choices"].amax(1).tolist() == [0, 1, 2, 3]
