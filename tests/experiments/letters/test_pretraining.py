"""Documents of pre-training, and that JSFT's trainer learns from them, from an early layer too."""

from functools import partial
from pathlib import Path

import pytest
import torch
from selfjudge_training.jsft.batches import collate
from selfjudge_training.run.metrics import read_metrics
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from experiments.letters.letters_recipe import Pretraining, Rates
from experiments.letters.model import TEMPLATE, load_model
from experiments.letters.pretraining import pretrain, pretraining_rows, step_model
from selfjudge import Chat, SafeTokenizer

PLAN = Pretraining(steps=12, batch=8, warm_up=2, decay=4, floor=0.3, early_layer=2, early_weight=0.5, checkpoints=(4,))
TEMPLATES = [TEMPLATE]


def test_every_document_predicts_one_right_answer(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = pretraining_rows(Chat(SafeTokenizer(tokenizer)), TEMPLATES, 100, seed=0)
    assert 100 <= len(rows) <= 101
    weigh = partial(collate, pad_id=tokenizer.pad_token_id, weighting="examples", replay=1.0)
    weights = [weigh([row])["weights"][0] for row in rows]
    assert [float(weight.sum()) for weight in weights] == pytest.approx([1.0] * len(rows))
    for row, weight in zip(rows, weights, strict=True):
        said = str(tokenizer.decode(torch.tensor(row["input_ids"])[weight > 0]))
        assert said.endswith("<|eos|>") != (row["form"] == "document")
        assert weight[-1] > 0


def test_it_learns_keeps_models_on_the_way_and_draws_by_the_seed(
    toy_model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    start = {name: values.clone() for name, values in toy_model.state_dict().items()}
    made: list[dict[str, Tensor]] = []
    for plan, name in ((PLAN, "one"), (PLAN, "two"), (PLAN.model_copy(update={"early_weight": 0.0}), "late")):
        toy_model.load_state_dict(start)
        pretrain(toy_model, tokenizer, TEMPLATES, plan, Rates(matrices=0.02, others=0.01), 0, tmp_path / name)
        made.append(load_model(step_model(tmp_path / name, 12))[0].state_dict())
    assert step_model(tmp_path / "one", 4).is_dir()
    assert all(torch.equal(made[0][name], made[1][name]) for name in start)
    assert any(not torch.equal(made[0][name], made[2][name]) for name in start)
    losses = [line["loss"] for line in read_metrics(tmp_path / "late")]
    assert losses[-1] < 0.9 * losses[0]
