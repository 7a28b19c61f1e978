"""The whole recipe, stage by stage, in a working directory: tokenizer, pre-training, pools, JSFT rounds, export.

A stage that has left its mark is not repeated, so an interrupted build goes on where it stopped (a round at its newest
checkpoint, others at their beginning). Every random draw comes from the recipe's seed and the stage's name.
"""

import json
import random
import resource
import shutil
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import mean

import torch
from selfjudge_training.data.source import Source
from selfjudge_training.jsft import jsft_config as jsft
from selfjudge_training.jsft.jsft_stage import MODEL, run_jsft
from selfjudge_training.run.config import ConfigError

from experiments.letters.letters_recipe import Recipe
from experiments.letters.model.pool import TEMPLATE, ModelPool, RememberingJudge, sample_answers
from experiments.letters.model.tokenizer import train_tokenizer
from experiments.letters.model.weights import load_model, new_model, save_model
from experiments.letters.preferences.pairs import (
    demonstration_rows,
    make_pool,
    preference_rows,
    read_pools,
    weigh_up,
    write_pools,
)
from experiments.letters.preferences.rows import write_rows
from experiments.letters.pretraining import pretrain, step_model
from experiments.letters.tasks import Problem
from experiments.letters.tasks.split import Split, draw_problems
from selfjudge import load_templates

MAX_TOKENS = 256
"""Longest example of JSFT."""

MICRO_BATCH = 32
"""Examples computed at once; a step of JSFT must be a multiple."""

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
        self._record, self._pools = directory / "stages.json", directory / "pools.jsonl"

    def run(self, output: Path) -> None:
        """Run every stage that has not been run, then write the model to ``output``."""
        torch.set_num_threads(1)  # at this size, a second thread costs more than it computes
        stages: dict[str, Callable[[], Figures]] = {"pretraining": self._pretrain, "pools": self._sample_pools}
        for number in range(1, len(self.recipe.rounds) + 1):
            stages[f"mining-{number}"] = partial(self._prepare, number)
            stages[f"round-{number}"] = partial(self._finetune, number)
        for name, work in stages.items():
            self._run_stage(name, work)
        # float16: half the bytes; the model's log says what that costs.
        save_model(*load_model(self._model_after(len(self.recipe.rounds))), output, torch.float16)
        shutil.copy(self._record, output / "training.json")

    def _pretrain(self) -> Figures:
        recipe, template = self.recipe, load_templates()[TEMPLATE]
        prompts = (f"\n{problem.prompt}\n" for problem in self._problems("tokenizer", recipe.tokens.problems))
        tokenizer = train_tokenizer(prompts, [template], recipe.tokens.vocabulary)
        model = new_model(recipe.shape, tokenizer)
        folder, seed = self.directory / "pretraining", self._seed("pretraining documents")
        shutil.rmtree(folder, ignore_errors=True)
        pretrain(model, tokenizer, [template], recipe.pretraining, recipe.rates, seed, folder)
        return {"documents": recipe.pretraining.steps * recipe.pretraining.batch, "parameters": model.num_parameters()}

    def _sample_pools(self) -> Figures:
        """The weak models answer: two answers of one of them for the demonstration, and wrong answers of all."""
        plan = self.recipe.sampling
        problems = self._problems("pools", plan.prompts)
        shown: list[list[str]] = [[] for _ in problems]
        sampled: list[list[str]] = [[] for _ in problems]
        calls = [
            (shown, step, 2, 1.0, range(turn, len(problems), len(plan.demonstrators)))
            for turn, step in enumerate(plan.demonstrators)
        ] + [
            (sampled, step, plan.samples, temperature, range(turn, len(problems), len(plan.temperatures)))
            for step in plan.checkpoints
            for turn, temperature in enumerate(plan.temperatures)
        ]
        with ModelPool(self.workers) as pool:
            for gathered, step, samples, temperature, whom in calls:
                rollouts = pool.rollouts(step_model(self.directory / "pretraining", step))
                prompts = [problems[index].prompt for index in whom]
                seed = self._seed(f"sampling step {step} at {temperature}")
                answers = sample_answers(rollouts, prompts, samples, temperature, seed)
                for index, texts in zip(whom, answers, strict=True):
                    gathered[index] += texts
        pools = [make_pool(*row) for row in zip(problems, shown, sampled, strict=True)]
        write_pools(pools, self._pools)
        return {
            "right_demonstrations": round(mean(pool.demonstration == pool.problem.answer for pool in pools), 4),
            "wrong_answers": sum(len(pool.rejected) for pool in pools),
        }

    def _prepare(self, number: int) -> Figures:
        """Write pairs and demonstrations of a round, the pairs that fool the model so far among them more often."""
        plan, seed, pools = self.recipe.rounds[number - 1], self._seed(f"round {number}"), read_pools(self._pools)
        figures: Figures = {}
        with ModelPool(self.workers) as pool:
            rollouts = pool.rollouts(self._model_after(number - 1))
            if plan.own_prompts:
                problems = self._problems(f"round {number}", plan.own_prompts)
                prompts = [problem.prompt for problem in problems]
                answers = sample_answers(rollouts, prompts, plan.own_samples, 1.0, seed)
                pools += [make_pool(problem, [], own) for problem, own in zip(problems, answers, strict=True)]
            if plan.emphasis:
                pools, accuracy = weigh_up(RememberingJudge(rollouts), pools, plan.emphasis)
                figures["judge_accuracy_on_pools_before"] = round(accuracy, 4)
        write_rows(preference_rows(pools, plan, seed), self._rows(number, "pairs"))
        write_rows(demonstration_rows(pools, plan, seed), self._rows(number, "demonstrations"))
        return {**figures, "judgments": 2 * plan.pairs * plan.steps, "dialogues": plan.dialogues * plan.steps}

    def _finetune(self, number: int) -> Figures:
        plan, rates = self.recipe.rounds[number - 1], self.recipe.rates

        def source(name: str) -> tuple[Source, ...]:
            return (Source(format="preferences", path=self._rows(number, name)),)

        config = jsft.JsftConfig(
            seed=self._seed(f"round {number}"),
            start=jsft.Start(path=str(self._model_after(number - 1)), architecture="llama"),
            data=jsft.Data(
                demonstrations=source("demonstrations"),
                pairs=source("pairs"),
                template=TEMPLATE,
                max_length=min(MAX_TOKENS, self.recipe.shape.context),
                replay=plan.replay,
            ),
            optimisation=jsft.Optimisation(
                steps=plan.steps,
                batch=2 * plan.pairs + plan.dialogues,
                micro_batch=MICRO_BATCH,
                optimizer="muon",
                learning_rate=plan.rate * rates.others,
                matrix_learning_rate=plan.rate * rates.matrices,
                schedule=plan.schedule,
                warm_up=0.0,
                beta2=0.98,
                weighting="examples",
            ),
            machine=jsft.Machine(trackers=()),
        )
        run_jsft(config, self._round(number))
        return {}

    def _model_after(self, number: int) -> Path:
        """The model of a round; of pre-training, where the number is 0."""
        if number == 0:
            return step_model(self.directory / "pretraining", self.recipe.pretraining.steps)
        return self._round(number) / MODEL

    def _round(self, number: int) -> Path:
        return self.directory / f"round-{number}"

    def _rows(self, number: int, name: str) -> Path:
        return self.directory / f"{name}-{number}.jsonl"

    def _seed(self, name: str) -> int:
        return random.Random(f"{self.recipe.seed}:{name}").getrandbits(32)

    def _problems(self, name: str, count: int) -> list[Problem]:
        return list(islice(draw_problems(Split.TRAIN, self._seed(name)), count))

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


def _processor_seconds() -> float:
    """Of this process and the workers that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
