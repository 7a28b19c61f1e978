"""Losses and log-ratios, against TRL's DPOTrainer on equal inputs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset  # type: ignore[import-untyped]  # it ships no py.typed
from peft import LoraConfig, PeftModel
from selfjudge_training.self_training.losses import Pair, log_ratios, preference_losses
from selfjudge_training.self_training.policy import trained_parameters
from selfjudge_training.self_training.self_training_config import Loss, Objective
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer
from typing_extensions import override

from tests.training.self_training.conftest import randomised

PAIRS = [
    Pair([3, 40, 41, 4], [50, 51, 52, 0], [60, 0]),
    Pair([3, 42, 4], [53, 0], [61, 62, 63, 64, 0]),
    Pair([3, 43, 44, 45, 46, 4], [54, 55, 0], [65, 0]),
]
OF_TRL = {Loss.DPO: "sigmoid", Loss.IPO: "ipo", Loss.HINGE: "hinge"}
BETA = 0.3


def trl_trainer(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, loss_type: str, to: Path) -> DPOTrainer:
    """TRL's trainer on a model of its own, with a fresh adapter whose absence is the reference."""
    copy = LlamaForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    config = DPOConfig(
        output_dir=str(to),
        loss_type=[loss_type],
        beta=BETA,
        bf16=False,
        use_cpu=True,
        report_to=[],
        gradient_checkpointing=False,
        remove_unused_columns=False,
    )
    rows = Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}])
    return DPOTrainer(
        model=copy,
        args=config,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=LoraConfig(r=8, lora_alpha=16, target_modules="all-linear"),
    )


def policy_of(trainer: DPOTrainer) -> PeftModel:
    assert isinstance(trainer.model, PeftModel)
    return trainer.model


def trl_loss(trainer: DPOTrainer, pairs: list[Pair]) -> Tensor:
    """TRL's loss on the same pairs, its adapter filled like ours."""
    loss: Tensor = trainer.compute_loss(randomised(policy_of(trainer)).eval(), trl_inputs(pairs))  # type: ignore[no-untyped-call]  # TRL leaves it untyped
    return loss


def trl_inputs(pairs: list[Pair]) -> dict[str, Tensor]:
    rows = [{"prompt_ids": p.prompt, "chosen_ids": p.chosen, "rejected_ids": p.rejected} for p in pairs]
    inputs: dict[str, Tensor] = DataCollatorForPreference(pad_token_id=1).torch_call(rows)
    return inputs


@pytest.mark.parametrize("loss", Loss)
def test_loss_and_gradients_are_those_of_trl(
    toy_model: LlamaForCausalLM,
    make_policy: Callable[[], PeftModel],
    tokenizer: PreTrainedTokenizerBase,
    tmp_path: Path,
    loss: Loss,
) -> None:
    ours = make_policy().eval()
    own = preference_losses(Objective(loss=loss, beta=BETA), *log_ratios(ours, PAIRS)).mean()
    own.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    trainer = trl_trainer(toy_model, tokenizer, OF_TRL[loss], tmp_path)
    trls = trl_loss(trainer, PAIRS)
    trls.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert own.item() == pytest.approx(trls.item(), abs=1e-5)
    gradients = [p.grad for p in ours.parameters() if p.requires_grad]
    of_trl = [p.grad for p in policy_of(trainer).parameters() if p.requires_grad]
    assert len(gradients) == len(of_trl) == 28
    for mine, other in zip(gradients, of_trl, strict=True):
        assert mine is not None
        assert mine.abs().max() > 0
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-4)


def test_smoothing_mixes_in_the_loss_of_the_opposite_order(
    toy_model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    make_policy: Callable[[], PeftModel],
    tmp_path: Path,
) -> None:
    trainer = trl_trainer(toy_model, tokenizer, "sigmoid", tmp_path)
    swapped = [Pair(pair.prompt, pair.rejected, pair.chosen) for pair in PAIRS]
    straight, opposite = (trl_loss(trainer, pairs).item() for pairs in (PAIRS, swapped))
    objective = Objective(beta=BETA, label_smoothing=0.2)
    smoothed = preference_losses(objective, *log_ratios(make_policy().eval(), PAIRS)).mean()
    assert smoothed.item() == pytest.approx(0.8 * straight + 0.2 * opposite, abs=1e-5)


@pytest.mark.parametrize(("loss", "at_zero"), [(Loss.DPO, 0.693147), (Loss.IPO, 25.0), (Loss.HINGE, 1.0)])
def test_losses_begin_where_policy_is_reference(loss: Loss, at_zero: float) -> None:
    losses = preference_losses(Objective(loss=loss), torch.zeros(2, 3), torch.ones(2, 3))
    assert losses.tolist() == pytest.approx([at_zero] * 3)


class Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """The most elements of any tensor that is made meanwhile."""

    elements = 0

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else (made,):
            self.elements = max(self.elements, each.numel() if isinstance(each, Tensor) else 0)
        return made


def test_logits_are_made_in_tiles_and_give_the_same(
    make_policy: Callable[[], PeftModel], tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Log-ratios and gradients against logits made at once; tiles are small here, as models are."""
    monkeypatch.setattr("trl.trainer.utils._CHUNKED_LOGPROB_CHUNK_SIZE", 64)
    monkeypatch.setattr("trl.kernels.chunked_logprob.TOKEN_CHUNK_SIZE", 16)
    policy, plain = make_policy().eval(), make_policy().eval()
    long = [Pair([3, *range(40, 80)], [*range(50, 80), 0], [*range(60, 90), 0]), *PAIRS]
    with Largest() as largest:  # type: ignore[no-untyped-call]  # torch leaves it untyped
        tiled = log_ratios(policy, long)[0][0]
        tiled.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    vocabulary = len(tokenizer)
    assert largest.elements < 2 * len(long) * 70 * vocabulary / 4, "logits of all tokens were in memory at once"
    for pair, found in zip(long, tiled, strict=True):
        ids, start = torch.tensor([pair.prompt + pair.chosen]), len(pair.prompt)
        logits = plain(ids).logits[0, start - 1 : -1].log_softmax(-1)
        with torch.no_grad(), plain.disable_adapter():
            reference = plain(ids).logits[0, start - 1 : -1].log_softmax(-1)
        targets = torch.tensor(pair.chosen)[:, None]
        expected = (logits.gather(1, targets) - reference.gather(1, targets)).sum()
        assert found.item() == pytest.approx(expected.item(), abs=1e-4)
        expected.backward()
    for mine, other in zip(trained_parameters(policy).values(), trained_parameters(plain).values(), strict=True):
        assert mine.grad is not None
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-4, rtol=1e-4)


def test_pairs_of_any_neighbours_have_the_same_ratios(make_policy: Callable[[], PeftModel]) -> None:
    policy = make_policy().eval()
    together, _ = log_ratios(policy, PAIRS)
    for index, pair in enumerate(PAIRS):
        alone, tokens = log_ratios(policy, [pair])
        torch.testing.assert_close(together[:, [index]], alone, atol=1e-5, rtol=0)
        assert tokens.tolist() == [[len(pair.chosen)], [len(pair.rejected)]]


def test_a_fresh_adapter_is_the_reference(toy_model: LlamaForCausalLM) -> None:
    fresh = PeftModel(toy_model, LoraConfig(r=8, target_modules="all-linear"))
    assert log_ratios(fresh.eval(), PAIRS)[0].tolist() == [[0.0] * 3] * 2


def test_dropout_of_the_adapter_touches_the_policy_only(toy_model: LlamaForCausalLM) -> None:
    policy = randomised(PeftModel(toy_model, LoraConfig(r=8, target_modules="all-linear", lora_dropout=0.5))).train()
    ratios = [log_ratios(policy, PAIRS)[0].tolist() for _ in range(2)]
    assert ratios[0] != ratios[1]
    assert policy.training
    with torch.no_grad():
        for parameter in policy.parameters():
            if parameter.requires_grad:
                parameter.zero_()
    assert log_ratios(policy, PAIRS)[0].tolist() == [[0.0] * 3] * 2
