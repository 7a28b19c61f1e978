"""One update: averages over all pairs of a step, however they are cut up."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from peft import PeftModel
from selfjudge_training.self_training.learner import Learner
from selfjudge_training.self_training.losses import Pair
from selfjudge_training.self_training.policy import read_state, trained_parameters, write_state

from tests.training.self_training.conftest import toy

PAIRS = [
    Pair([3, 40, 41, 4], [50, 51, 52, 0], [60, 0]),
    Pair([3, 42, 4], [53, 0], [61, 62, 63, 64, 0]),
    Pair([3, 43, 44, 45, 46, 4], [54, 55, 0], [65, 0]),
    Pair([3, 4], [56, 0], [66, 67, 0]),
]
SKIPPED = [pair._replace(tie=True) for pair in PAIRS]


def learner(policy: PeftModel, micro_batch: int = 4) -> Learner:
    config = toy(
        Path("nowhere"), f"machine.micro_batch={micro_batch}", "optimisation={learning_rate: 0.01, warm_up: 0.2}"
    )
    return Learner(config, policy, Accelerator(), 10)


def weights(policy: PeftModel) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trained_parameters(policy).values()])


def gradients(own: Learner) -> torch.Tensor:
    """After one step: AdamW's first average is a tenth of the gradient. Weights move by its sign, be it rounding."""
    states = [own.optimizer.state[parameter] for parameter in trained_parameters(own.policy).values()]
    return torch.cat([state["exp_avg"].flatten() for state in states]) * 10


def test_four_micro_batches_of_one_are_one_of_four(make_policy: Callable[[], PeftModel]) -> None:
    results: list[tuple[dict[str, float], torch.Tensor]] = []
    for micro_batch in (1, 4, 3):
        own = learner(make_policy(), micro_batch)
        results.append((own.learn(PAIRS, 0), gradients(own)))
    for learned, found in results[1:]:
        assert learned == pytest.approx(results[0][0], rel=1e-4, abs=1e-5)
        torch.testing.assert_close(found, results[0][1], atol=1e-7, rtol=1e-4)
    assert results[0][1].norm().item() == pytest.approx(results[0][0]["gradient_norm"], rel=1e-5)


def test_a_pair_weighs_the_same_however_many_are_skipped_beside_it(make_policy: Callable[[], PeftModel]) -> None:
    """Each prompt of a batch is its share of the mean, whether a pair came of it or not: section 3.2's expectation."""
    alone, beside = learner(make_policy()), learner(make_policy(), micro_batch=2)
    whole, few = alone.learn(PAIRS[:1], 0), beside.learn([*SKIPPED[1:], PAIRS[0]], 0)
    torch.testing.assert_close(4 * gradients(beside), gradients(alone), atol=1e-7, rtol=1e-4)
    assert few["gradient_norm"] == pytest.approx(whole["gradient_norm"] / 4, rel=1e-4)
    assert few["loss"] == pytest.approx(whole["loss"], rel=1e-5)


def test_kl_is_that_of_all_samples(make_policy: Callable[[], PeftModel]) -> None:
    policy = make_policy()
    expected = learner(policy).learn(PAIRS, 0)["kl"]
    before = weights(make_policy())
    for learnt in (0, 1, 3):
        own = learner(make_policy(), micro_batch=2)
        figures = own.learn(PAIRS[:learnt] + SKIPPED[learnt:], 0)
        assert figures["kl"] == pytest.approx(expected, rel=1e-4)
        assert ("loss" in figures) == (learnt > 0)
        assert torch.equal(weights(own.policy), before) == (learnt == 0), "a step without pairs changes nothing"


def test_learning_raises_the_margin(make_policy: Callable[[], PeftModel]) -> None:
    own = learner(make_policy())
    first, *_, last = (own.learn(PAIRS, step) for step in range(8))
    assert last["loss"] < first["loss"] - 0.05
    assert last["reward/margin"] > first["reward/margin"] + 0.1
    assert last["reward/accuracy"] == 1.0
    before = weights(own.policy)
    measured = own.measure(PAIRS)
    assert torch.equal(weights(own.policy), before)
    learned = own.learn(PAIRS, 8)
    assert measured == pytest.approx({name: learned[name] for name in measured}, rel=1e-5)


def test_frozen_weights_stay(make_policy: Callable[[], PeftModel]) -> None:
    policy = make_policy()
    frozen = {name: p.clone() for name, p in policy.named_parameters() if not p.requires_grad}
    learner(policy).learn(PAIRS, 0)
    assert all(torch.equal(dict(policy.named_parameters())[name], p) for name, p in frozen.items())


def test_the_rate_warms_up_and_stays(make_policy: Callable[[], PeftModel]) -> None:
    own = learner(make_policy())
    assert [own.learning_rate(step) for step in (0, 1, 2, 9)] == pytest.approx([5e-3, 1e-2, 1e-2, 1e-2])


def test_a_state_that_is_read_goes_on_bit_for_bit(make_policy: Callable[[], PeftModel], tmp_path: Path) -> None:
    policy = make_policy()
    own = learner(policy)
    own.learn(PAIRS, 0)
    write_state(policy, own.optimizer, tmp_path)
    own.learn(PAIRS, 1)
    twin = make_policy()
    with torch.no_grad():
        for parameter in trained_parameters(twin).values():
            parameter.zero_()
    other = learner(twin)
    read_state(twin, other.optimizer, tmp_path)
    other.learn(PAIRS, 1)
    assert torch.equal(weights(policy), weights(twin))


def test_a_loss_that_is_not_finite_stops_before_the_update(make_policy: Callable[[], PeftModel]) -> None:
    policy = make_policy()
    next(iter(trained_parameters(policy).values())).data.fill_(float("nan"))
    after_first = list(trained_parameters(policy).values())[1].clone()
    with pytest.raises(FloatingPointError, match=r"lower optimisation\.learning_rate"):
        learner(policy).learn(PAIRS, 0)
    assert torch.equal(list(trained_parameters(policy).values())[1], after_first)
