"""A pool of processes, one core each, that sample from saved models and judge with them.

Work goes out in chunks of a fixed size, each with a seed of its own, so results do not depend on how many processes
there are. Processes, not threads, for the reason given in ``workers``.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import torch
from tqdm import tqdm
from transformers import LlamaForCausalLM

from experiments.letters.model.documents import Renderer
from experiments.letters.model.judge import read_judgments
from experiments.letters.model.sample import sample_answers
from experiments.letters.model.weights import load_model
from selfjudge import ChoiceTokens, Reading

CHUNK = 4096
"""Sequences to sample, or judgment prompts to read, in one chunk of work."""

Answer = TypeVar("Answer")


class Sampling(NamedTuple):
    """How to sample."""

    samples: int
    """Per prompt."""
    temperature: float
    seed: int
    system: bool = False
    """Whether the default system message stands in front."""


class ModelPool:
    """A context manager: it holds processes."""

    def __init__(self, workers: int) -> None:
        self._executor = ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,))

    def sample(self, model: Path, prompts: Sequence[str], how: Sampling, progress: str) -> list[list[str]]:
        """Answers to each prompt, ``how.samples`` of them, from the model saved in a directory."""
        [answers] = self.sample_each([(model, how)], prompts, progress)
        return answers

    def sample_each(
        self, models: Sequence[tuple[Path, Sampling]], prompts: Sequence[str], progress: str
    ) -> list[list[list[str]]]:
        """What each of several models answers to the same prompts; they are sampled at the same time."""
        calls = [call for model, how in models for call in _chunks(model, prompts, how)]
        answers = self._map(_sample, calls, progress)
        return [list(islice(answers, len(prompts))) for _ in models]

    def read(self, model: Path, prompts: Sequence[list[int]], progress: str) -> list[Reading]:
        """What the model saved in a directory says to each judgment prompt."""
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        chunks = [[prompts[index] for index in order[start : start + CHUNK]] for start in range(0, len(order), CHUNK)]
        read = dict(zip(order, self._map(_read, [(model, chunk) for chunk in chunks], progress), strict=True))
        return [read[index] for index in range(len(prompts))]

    def _map(
        self, work: Callable[..., list[Answer]], calls: Sequence[tuple[object, ...]], name: str
    ) -> Iterator[Answer]:
        futures = [self._executor.submit(work, *call) for call in calls]
        for future in tqdm(futures, name, unit="chunk", leave=False):
            yield from future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(cancel_futures=True)


def _chunks(model: Path, prompts: Sequence[str], how: Sampling) -> Iterator[tuple[Path, list[str], Sampling]]:
    size = max(1, CHUNK // how.samples)
    for number, start in enumerate(range(0, len(prompts), size)):
        yield model, list(prompts[start : start + size]), how._replace(seed=how.seed + number)


class _Loaded(NamedTuple):
    model: LlamaForCausalLM
    renderer: Renderer


@lru_cache(1)
def _loaded(directory: Path) -> _Loaded:
    model, tokenizer = load_model(directory)
    return _Loaded(model, Renderer(tokenizer))


def _sample(directory: Path, prompts: list[str], how: Sampling) -> list[list[str]]:
    model, renderer = _loaded(directory)
    return sample_answers(model, renderer.chat, prompts, **how._asdict())


def _read(directory: Path, prompts: list[list[int]]) -> list[Reading]:
    model, renderer = _loaded(directory)
    choice: ChoiceTokens = renderer.encoder.choice_tokens
    return read_judgments(model, choice, renderer.chat.tokens.source.pad_token_id, prompts)
