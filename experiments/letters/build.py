"""The whole recipe, stage by stage, in a working directory: pre-training, pools, rounds of mining and JSFT, export.

A stage that has left its mark is not repeated, so an interrupted build goes on where it stopped (a round at its newest
checkpoint, others at their beginning). Every random draw comes from the recipe's seed and the stage's name.
"""

import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import mean

import torch
from pydantic import TypeAdapter
from selfjudge_training.data.rows import write_lines
from selfjudge_training.data.source import Source
from selfjudge_training.jsft import jsft_config as jsft
from selfjudge_training.jsft.jsft_stage import MODEL, run_jsft
from selfjudge_training.run.files import write_whole
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.seeds import derived_seed

from experiments.letters.letters_recipe import Recipe
from experiments.letters.model import (
    TEMPLATE,
    RememberingJudge,
    load_model,
    load_rollouts,
    new_model,
    sample_answers,
    save_model,
)
from experiments.letters.preferences.pairs import Pool, demonstration_rows, make_pool, preference_rows, weigh_up
from experiments.letters.pretraining import MAX_TOKENS, pretrain, step_model
from experiments.letters.tasks import Problem, Split, draw_problems
from experiments.letters.tokenizer import train_tokenizer

MICRO_BATCH = 32
"""Examples computed at once; a step of JSFT must be a multiple."""

Figures = dict[str, float]
"""What a stage has to say about itself, for the record."""

POOLS = TypeAdapter(list[Pool])


class Build:
    """One recipe in one working directory."""

    def __init__(self, recipe: Recipe, directory: Path) -> None:
        """Raises ConfigError where the directory holds work of another recipe."""
        RunFolder.open(directory, recipe, seed=recipe.seed, trackers=())
        self.recipe, self.directory = recipe, directory
        self._record, self._pools = directory / "stages.json", directory / "pools.json"

    def run(self, output: Path) -> None:
        """Run every stage that has not been run, then write the model to ``output``."""
        torch.set_num_threads(1)  # at this size, a second thread costs more than it computes
        self._stage("pretraining", self._pretrain)
        self._stage("pools", self._sample_pools)
        for number in range(1, len(self.recipe.rounds) + 1):
            self._stage(f"mining-{number}", partial(self._mine, number))
            self._stage(f"round-{number}", partial(self._finetune, number))
        # float16: half the bytes; the model's log says what that costs.
        save_model(*load_model(self._model_after(len(self.recipe.rounds))), output, torch.float16)
        shutil.copy(self._record, output / "training.json")

    def _stage(self, name: str, work: Callable[[], Figures]) -> None:
        record = json.loads(self._record.read_text(encoding="utf-8")) if self._record.is_file() else {}
        if name in record:
            print(f"{name}: done before, in {record[name]['seconds']} s", flush=True)
            return
        torch.manual_seed(self._seed(name))
        wall, processor = time.monotonic(), time.process_time()
        figures = work()
        seconds = {
            "seconds": round(time.monotonic() - wall),
            "processor_seconds": round(time.process_time() - processor),
        }
        record[name] = seconds | figures
        write_whole(self._record, json.dumps(record, indent=2) + "\n")
        print(f"{name}: {record[name]}", flush=True)

    def _pretrain(self) -> Figures:
        recipe = self.recipe
        prompts = (f"\n{problem.prompt}\n" for problem in self._problems("tokenizer", recipe.tokens.problems))
        tokenizer = train_tokenizer(prompts, [TEMPLATE], recipe.tokens.vocabulary)
        model = new_model(recipe.shape, tokenizer)
        folder = self.directory / "pretraining"
        shutil.rmtree(folder, ignore_errors=True)
        seed = self._seed("pretraining documents")
        pretrain(model, tokenizer, [TEMPLATE], recipe.pretraining, recipe.rates, seed, folder)
        return {"documents": recipe.pretraining.steps * recipe.pretraining.batch, "parameters": model.num_parameters()}

    def _sample_pools(self) -> Figures:
        """The weak models answer: the first two answers are for the demonstration, wrong ones serve as rejected."""
        plan = self.recipe.sampling
        problems = self._problems("pools", plan.prompts)
        answers: list[list[str]] = [[] for _ in problems]

        def sample(step: int, samples: int, temperature: float, turn: int, turns: int) -> None:
            rollouts = load_rollouts(step_model(self.directory / "pretraining", step))
            prompts = [problem.prompt for problem in problems[turn::turns]]
            seed = self._seed(f"sampling step {step} at {temperature}")
            drawn = sample_answers(rollouts, prompts, samples, temperature, seed)
            for texts, more in zip(answers[turn::turns], drawn, strict=True):
                texts.extend(more)

        for turn, step in enumerate(plan.demonstrators):
            sample(step, 2, 1.0, turn, len(plan.demonstrators))
        for step in plan.checkpoints:
            for turn, temperature in enumerate(plan.temperatures):
                sample(step, plan.samples, temperature, turn, len(plan.temperatures))
        pools = [make_pool(problem, texts, shown=2) for problem, texts in zip(problems, answers, strict=True)]
        self._pools.write_bytes(POOLS.dump_json(pools))
        return {
            "right_demonstrations": round(mean(pool.demonstration == pool.problem.answer for pool in pools), 4),
            "wrong_answers": sum(len(pool.wrong) for pool in pools),
        }

    def _mine(self, number: int) -> Figures:
        """Write pairs and demonstrations of a round, the pairs that fool the model so far among them more often."""
        plan, seed = self.recipe.rounds[number - 1], self._seed(f"round {number}")
        pools, figures = POOLS.validate_json(self._pools.read_bytes()), Figures()
        rollouts = load_rollouts(self._model_after(number - 1))
        if plan.own_prompts:
            problems = self._problems(f"round {number}", plan.own_prompts)
            answers = sample_answers(rollouts, [problem.prompt for problem in problems], plan.own_samples, 1.0, seed)
            pools += [make_pool(problem, texts) for problem, texts in zip(problems, answers, strict=True)]
        if plan.emphasis:
            pools, accuracy = weigh_up(RememberingJudge(rollouts), pools, plan.emphasis)
            figures["judge_accuracy_on_pools_before"] = round(accuracy, 4)
        write_lines(preference_rows(pools, plan, seed), self._rows("pairs", number))
        write_lines(demonstration_rows(pools, plan, seed), self._rows("demonstrations", number))
        return {**figures, "judgments": 2 * plan.pairs * plan.steps, "dialogues": plan.dialogues * plan.steps}

    def _finetune(self, number: int) -> Figures:
        plan, rates = self.recipe.rounds[number - 1], self.recipe.rates
        config = jsft.JsftConfig(
            seed=self._seed(f"round {number}"),
            start=jsft.Start(path=str(self._model_after(number - 1)), architecture="llama"),
            data=jsft.Data(
                demonstrations=(Source(format="preferences", path=self._rows("demonstrations", number)),),
                pairs=(Source(format="preferences", path=self._rows("pairs", number)),),
                template=TEMPLATE.name,
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
        run_jsft(config, self.directory / f"round-{number}")
        return {}

    def _model_after(self, number: int) -> Path:
        """The model of a round; of pre-training, where the number is 0."""
        if number == 0:
            return step_model(self.directory / "pretraining", self.recipe.pretraining.steps)
        return self.directory / f"round-{number}" / MODEL

    def _rows(self, name: str, number: int) -> Path:
        return self.directory / f"{name}-{number}.jsonl"

    def _seed(self, name: str) -> int:
        return derived_seed(self.recipe.seed, name) % 2**32

    def _problems(self, name: str, count: int) -> list[Problem]:
        return list(islice(draw_problems(Split.TRAIN, self._seed(name)), count))
