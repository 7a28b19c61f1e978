"""The whole recipe, stage by stage, in a working directory: tokenizer, pre-training, pools, JSFT rounds, export.

A stage that has left its mark is not repeated, so an interrupted build goes on where it stopped (at the beginning of
the stage). Every random draw comes from the recipe's seed and the stage's name.
"""

import json
import random
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import mean

import torch
from selfjudge_training.run.config import ConfigError

from experiments.letters.letters_recipe import Finetuning, Recipe
from experiments.letters.model.documents import TEMPLATE, Renderer
from experiments.letters.model.pool import ModelPool, RememberingJudge, sample_answers
from experiments.letters.model.tokenizer import train_tokenizer
from experiments.letters.model.weights import load_model, new_model, save_model
from experiments.letters.preferences.pairs import Pool, make_pool, read_pools, write_pools
from experiments.letters.tasks import Problem
from experiments.letters.tasks.split import Split, draw_problems
from experiments.letters.training.judging import jsft_batches
from experiments.letters.training.loss import EarlyTargets
from experiments.letters.training.mine import weigh_up
from experiments.letters.training.pretrain import pretraining_batches
from experiments.letters.training.schedule import cosine, warm_up_then_decay
from experiments.letters.training.trainer import Trainer
from selfjudge import load_templates

Figures = dict[str, float]
"""What a stage has to say about itself, for the record."""


class Build:
    """One recipe in one working directory."""

    def __init__(self, recipe: Recipe, directory: Path, workers: int) -> None:
        """Raises ConfigError where the directory holds work of another recipe."""
        self.recipe, self.directory, self.workers = recipe, directory, workers
        directory.mkdir(parents=True, exist_ok=True)
        kept = directory / "recipe.json"
        text = recipe.model_dump_json(indent=2)
        if kept.is_file() and kept.read_text(encoding="utf-8") != text:
            raise ConfigError(f"{directory} holds work of another recipe; delete it, or name another directory")
        kept.write_text(text, encoding="utf-8")
        self._record = directory / "stages.json"

    def run(self, output: Path) -> None:
        """Run every stage that has not been run, then write the model to ``output``."""
        torch.set_num_threads(1)  # the worker processes are the parallelism
        stages: dict[str, Callable[[], Figures]] = {"pretraining": self._pretrain, "pools": self._sample_pools}
        for number in range(1, len(self.recipe.rounds) + 1):
            stages[f"round-{number}"] = partial(self._finetune, number)
        for name, work in stages.items():
            self._run_stage(name, work)
        self._export(output)

    def _run_stage(self, name: str, work: Callable[[], Figures]) -> None:
        record = json.loads(self._record.read_text(encoding="utf-8")) if self._record.is_file() else {}
        if name in record:
            print(f"{name}: done before, in {record[name]['seconds']} s", flush=True)
            return
        torch.manual_seed(self._seed(name))
        wall, processor = time.monotonic(), _processor_seconds()
        figures = work()
        seconds = {
            "seconds": round(time.monotonic() - wall),
            "processor_seconds": round(_processor_seconds() - processor),
        }
        record[name] = {**seconds, **figures}
        self._record.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        print(f"{name}: {record[name]}", flush=True)

    def _seed(self, name: str) -> int:
        return random.Random(f"{self.recipe.seed}:{name}").getrandbits(32)

    def _problems(self, name: str, count: int) -> list[Problem]:
        return list(islice(draw_problems(Split.TRAIN, self._seed(name)), count))

    def _checkpoint(self, step: int) -> Path:
        return self.directory / "checkpoints" / f"{step:06d}"

    def _round(self, number: int) -> Path:
        return self.directory / f"round-{number}"

    def _pretrain(self) -> Figures:
        recipe, plan = self.recipe, self.recipe.pretraining
        prompts = (f"\n{problem.prompt}\n" for problem in self._problems("tokenizer", recipe.tokens.problems))
        tokenizer = train_tokenizer(prompts, [load_templates()[TEMPLATE]], recipe.tokens.vocabulary)
        model = new_model(recipe.shape, tokenizer)

        def keep(step: int) -> None:
            if step in {*plan.checkpoints, plan.steps}:
                save_model(model, tokenizer, self._checkpoint(step))

        early = EarlyTargets(plan.early_layer, plan.early_weight)
        Trainer(model, tokenizer.pad_token_id, recipe.rates, early, self.workers).train(
            pretraining_batches(Renderer(tokenizer), plan.batch, self._seed("pretraining documents")),
            plan.steps,
            warm_up_then_decay(plan.steps, plan.warm_up, plan.decay, plan.floor),
            "pre-training",
            keep,
        )
        return {"documents": plan.steps * plan.batch, "parameters": model.num_parameters()}

    def _sample_pools(self) -> Figures:
        plan = self.recipe.sampling
        problems = self._problems("pools", plan.prompts)
        demonstrations: list[list[str]] = [[] for _ in problems]
        samples: list[list[str]] = [[] for _ in problems]
        with ModelPool(self.workers) as pool:
            for turn, step in enumerate(plan.demonstrators):
                whom = range(turn, len(problems), len(plan.demonstrators))
                self._sample_into(demonstrations, pool, whom, problems, step, 2, 1.0)
            for step in plan.checkpoints:
                for turn, temperature in enumerate(plan.temperatures):
                    whom = range(turn, len(problems), len(plan.temperatures))
                    self._sample_into(samples, pool, whom, problems, step, plan.samples, temperature)
        pools = [make_pool(*row) for row in zip(problems, demonstrations, samples, strict=True)]
        write_pools(pools, self.directory / "pools.jsonl")
        return {
            "right_demonstrations": round(mean(pool.demonstration == pool.problem.answer for pool in pools), 4),
            "wrong_answers": sum(len(pool.rejected) for pool in pools),
        }

    def _sample_into(
        self,
        gathered: list[list[str]],
        pool: ModelPool,
        whom: range,
        problems: Sequence[Problem],
        step: int,
        samples: int,
        temperature: float,
    ) -> None:
        """Sample one checkpoint on some of the problems, and add what it says to what is gathered for each."""
        name = f"sampling step {step} at {temperature}"
        prompts = [problems[index].prompt for index in whom]
        rollouts = pool.rollouts(self._checkpoint(step))
        answers = sample_answers(rollouts, prompts, samples, temperature, self._seed(name))
        for index, texts in zip(whom, answers, strict=True):
            gathered[index] += texts

    def _finetune(self, number: int) -> Figures:
        plan = self.recipe.rounds[number - 1]
        before = self._checkpoint(self.recipe.pretraining.steps) if number == 1 else self._round(number - 1)
        model, tokenizer = load_model(before)
        renderer = Renderer(tokenizer)
        pools = read_pools(self.directory / "pools.jsonl")
        figures: Figures = {}
        with ModelPool(self.workers) as pool:
            if plan.own_prompts:
                pools += self._own_pools(number, plan, pool, before)
            if plan.emphasis:
                pools, accuracy = weigh_up(RememberingJudge(pool.rollouts(before)), pools, plan.emphasis)
                figures["judge_accuracy_on_pools_before"] = round(accuracy, 4)
        past = sum(earlier.steps for earlier in self.recipe.rounds[: number - 1])
        Trainer(model, tokenizer.pad_token_id, self.recipe.rates, None, self.workers).train(
            jsft_batches(renderer, pools, plan, self._seed(f"round {number}")),
            plan.steps,
            cosine(self.recipe.pretraining.floor, sum(each.steps for each in self.recipe.rounds), past),
            f"JSFT round {number}",
        )
        save_model(model, tokenizer, self._round(number))
        return {**figures, "judgments": 2 * plan.pairs * plan.steps, "dialogues": plan.dialogues * plan.steps}

    def _own_pools(self, number: int, plan: Finetuning, pool: ModelPool, model: Path) -> list[Pool]:
        """What the current model samples at temperature 1 on fresh prompts; for the judge only."""
        name = f"round {number}"
        problems = self._problems(name, plan.own_prompts)
        prompts = [problem.prompt for problem in problems]
        answers = sample_answers(pool.rollouts(model), prompts, plan.own_samples, 1.0, self._seed(name))
        return [make_pool(problem, [], texts) for problem, texts in zip(problems, answers, strict=True)]

    def _export(self, output: Path) -> None:
        """Write the last round's model, in float16 (half the bytes; what that costs is tested), and the record."""
        model, tokenizer = load_model(self._round(len(self.recipe.rounds)))
        save_model(model, tokenizer, output, torch.float16)
        shutil.copy(self._record, output / "training.json")


def _processor_seconds() -> float:
    """Of this process and the workers that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
