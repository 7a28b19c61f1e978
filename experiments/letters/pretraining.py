"""Pre-training from random weights: dialogues with right answers, and right answers behind "Response A:" and "B:".

The second kind is half of a judgment: the prompt and the responses, but not the choice. It teaches what a right
answer is in the very place where the judge will have to know it, whatever stands in the other place; a base that has
never read such documents hardly learns to judge. Weak models are kept on the way: their mistakes are what the
preference pairs are made of. The trainer is JSFT's, and a half-made judgment is a judgment with replay and no choice.
"""

import random
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from datasets import Dataset  # type: ignore[import-untyped]  # it ships no py.typed
from selfjudge_training.data.examples.jsft_set import each_example
from selfjudge_training.data.records import Demonstration, PreferencePair
from selfjudge_training.jsft.batches import Row, Sharing, collate, in_steps
from selfjudge_training.jsft.examples import as_row, lengths
from selfjudge_training.jsft.trainer import JsftTrainer, trainer_arguments
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.seeds import derived_seed
from torch import Tensor, nn
from transformers import (
    LlamaForCausalLM,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from typing_extensions import override

from experiments.letters.letters_recipe import Pretraining, Rates
from experiments.letters.model import asked, save_model
from experiments.letters.preferences.pairs import SYSTEM_MESSAGES
from experiments.letters.preferences.wrong import edited
from experiments.letters.tasks import Split, draw_problems
from selfjudge import Chat, JudgmentTemplate, SafeTokenizer

DIALOGUES = 0.55
"""Share of problems that become a dialogue. The others become two half-made judgments, the answer at A and at B."""

MAX_TOKENS = 256
"""Longest document, and longest example of JSFT."""


def pretrain(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    templates: Sequence[JudgmentTemplate],
    plan: Pretraining,
    rates: Rates,
    seed: int,
    folder: Path,
) -> None:
    """Train in ``folder``, and leave `step_model`s there: those of the recipe's checkpoints, and the last."""
    documents = pretraining_rows(Chat(SafeTokenizer(tokenizer)), templates, plan.steps * plan.batch, seed)
    examples = Dataset.from_list(documents)
    run = RunFolder.open(folder, plan, seed=seed, trackers=())
    alone = [[index] for index in range(len(examples))]
    sharing = Sharing(plan.batch, 1)
    order = in_steps(alone, lengths(examples), batch=plan.batch, steps=plan.steps, seed=seed, sharing=sharing)
    _EarlyTrainer(
        plan=plan,
        folder=run,
        matrix_rate=rates.matrices,
        model=model,
        args=trainer_arguments(
            folder,
            seed=derived_seed(seed, "trainer") % 2**32,
            max_steps=plan.steps,
            per_device_train_batch_size=plan.batch,
            learning_rate=rates.others,
            lr_scheduler_type="warmup_stable_decay",
            lr_scheduler_kwargs={"num_decay_steps": plan.decay, "min_lr_ratio": plan.floor},
            warmup_steps=plan.warm_up,
            adam_beta2=0.98,
            bf16=False,
            gradient_checkpointing=False,
            save_strategy="no",
        ),
        data_collator=partial(collate, pad_id=tokenizer.pad_token_id, weighting="examples", replay=1.0),
        train_dataset=examples.select(order),
        processing_class=tokenizer,
        callbacks=[_Keep({*plan.checkpoints, plan.steps})],
    ).run()
    run.metrics.close()


def step_model(folder: Path, step: int) -> Path:
    """The model of a step, in the folder of a pre-training."""
    return folder / f"step-{step}"


def pretraining_rows(chat: Chat, templates: Sequence[JudgmentTemplate], count: int, seed: int) -> list[Row]:
    """At least ``count`` documents about problems of the training side, judgments in equal shares by each template."""
    rng, problems = random.Random(seed), draw_problems(Split.TRAIN, seed)
    dialogues: list[Demonstration] = []
    pairs: list[list[PreferencePair]] = [[] for _ in templates]
    while len(dialogues) + 2 * sum(map(len, pairs)) < count:
        problem = next(problems)
        if rng.random() < DIALOGUES:
            conversation = asked(problem.prompt, system=rng.random() < SYSTEM_MESSAGES)
            dialogues.append(Demonstration(conversation, problem.answer))
            continue
        number = rng.randrange(len(templates))
        principle = rng.choice(list(templates[number].principles or (None,)))
        wrong = edited(problem.answer, rng)
        pairs[number].append(PreferencePair(asked(problem.prompt), problem.answer, wrong, principle, ("", "")))
    made = [as_row(one) for one in each_example(chat, templates[:1], dialogues, [], max_tokens=MAX_TOKENS)]
    for template, chosen in zip(templates, pairs, strict=True):
        whole = each_example(chat, [template], [], chosen, max_tokens=MAX_TOKENS, replay=True)
        made += [_half(as_row(judgment)) for judgment in whole]
    return made


def _half(judgment: Row) -> Row:
    """A judgment up to the end of its chosen response, the only target."""
    end = judgment["replay"][1]
    return {**judgment, "input_ids": judgment["input_ids"][:end], "loss_mask": [False] * end}


class _EarlyTrainer(JsftTrainer):
    """Right answers must be predicted from the output of an early layer, too (deep supervision, Lee et al. 2015).

    A judge needs that: only above the layer that knows the right token can a layer compare it with the token that is
    there, and another carry the outcome to the choice.
    """

    def __init__(self, *, plan: Pretraining, model: LlamaForCausalLM, **options: Any) -> None:  # noqa: ANN401  # JSFT's
        super().__init__(model=model, **options)
        self._llama, self._weight = model, plan.early_weight
        model.model.layers[plan.early_layer - 1].register_forward_hook(self._keep_early)

    def _keep_early(self, _layer: nn.Module, _inputs: object, output: Tensor) -> None:
        self._early = output

    @override
    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        weights, labels = inputs["weights"][:, 1:], inputs["labels"][:, 1:]
        loss = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        targets = weights > 0
        hidden = self._llama.model.norm(self._early[:, :-1][targets])
        losses = F.cross_entropy(self._llama.lm_head(hidden), labels[targets], reduction="none")
        early = self.share_of_mean(losses * weights[targets], weights, num_items_in_batch)
        return loss + self._weight * early


class _Keep(TrainerCallback):
    """Writes the models of some steps."""

    def __init__(self, steps: Collection[int]) -> None:
        self._steps = steps

    @override
    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.global_step in self._steps:
            folder = step_model(Path(str(args.output_dir)), state.global_step)
            save_model(kwargs["model"], kwargs["processing_class"], folder)
