"""Saved models that sample and judge in a pool of processes, one core each.

PyTorch's own way of using several cores waits for the slowest at every operation. Work goes out in chunks of a fixed
size, each with a seed of its own, so that results do not depend on how many processes there are.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import torch
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import RollOuts, Sample, Sampling
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.rollouts.judge import Judge
from typing_extensions import override

from experiments.letters.model.weights import load_model
from selfjudge import Chat, ChoiceTokens, Comparison, JudgmentEncoder, Reading, SafeTokenizer, Verdict, load_templates

TEMPLATE = "ultrafeedback"
"""The judgment template that the shipped model learns (table 13), and the default system message with it (table 11)."""

SYSTEM_MESSAGE = str(load_templates()[TEMPLATE].system)

CHUNK = 4096
"""Responses to sample, or judgment prompts to read, in one chunk of work."""

NEW_TOKENS = 24
"""No right answer has half as many; whatever is still going on here is cut, and wrong."""

Work = Callable[..., list[Any]]
Map = Callable[[Work, Sequence[tuple[object, ...]]], Iterator[Any]]
"""Results of some calls of a function of lists, in one sequence."""


class ModelPool:
    """A context manager: it holds processes."""

    def __init__(self, workers: int) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload([__name__])  # what takes long to import is imported once
        self._executor = ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,))

    def rollouts(self, model: Path) -> RollOuts:
        """Of the model saved in a folder. Raises FileNotFoundError where there is none."""
        return _PooledRollOuts(model, self._map)

    def _map(self, work: Work, calls: Sequence[tuple[object, ...]]) -> Iterator[Any]:
        for future in [self._executor.submit(work, *call) for call in calls]:
            yield from future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(cancel_futures=True)


class RememberingJudge(Judge):
    """Reads each comparison once."""

    def __init__(self, rollouts: RollOuts) -> None:
        encoder = JudgmentEncoder(rollouts.chat, load_templates()[TEMPLATE], max_tokens=rollouts.context - 1)
        super().__init__(rollouts, [encoder])
        self._known: dict[Comparison, Verdict] = {}

    @override
    def verdicts(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        new = [comparison for comparison in dict.fromkeys(comparisons) if comparison not in self._known]
        self._known |= zip(new, super().verdicts(new), strict=True)
        return [self._known[comparison] for comparison in comparisons]


def sample_answers(
    rollouts: RollOuts, prompts: Sequence[str], samples: int, temperature: float, seed: int, *, system: bool = False
) -> list[list[str]]:
    """Texts of answers to each prompt, with or without the default system message in front."""
    before: Messages = [{"role": "system", "content": SYSTEM_MESSAGE}] if system else []
    conversations: list[Messages] = [[*before, {"role": "user", "content": prompt}] for prompt in prompts]
    how = Sampling(temperature, 1.0, NEW_TOKENS)
    drawn = rollouts.sample(conversations, samples=samples, sampling=how, seed=seed)
    return [[answer.text for answer in answers] for answers in drawn]


class _PooledRollOuts(RollOuts):
    def __init__(self, folder: Path, each: Map) -> None:
        model, tokenizer = load_model(folder)
        self._folder, self._map = folder, each
        self.chat, self.context = Chat(SafeTokenizer(tokenizer)), model.config.max_position_embeddings

    @override
    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Sample]]:
        size = max(1, CHUNK // samples)
        starts = range(0, len(conversations), size)
        calls = [
            (self._folder, conversations[start : start + size], samples, sampling, seed + number)
            for number, start in enumerate(starts)
        ]
        return list(self._map(_sample, calls))

    @override
    def read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[Reading]:
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        chunks = [[prompts[index] for index in order[start : start + CHUNK]] for start in range(0, len(order), CHUNK)]
        read = dict(zip(order, self._map(_read, [(self._folder, chunk, choice) for chunk in chunks]), strict=True))
        return [read[index] for index in range(len(prompts))]

    @override
    def use_adapter(self, path: Path | None) -> None:
        raise NotImplementedError("whole models only")


@lru_cache(1)
def _loaded(folder: Path) -> HuggingFaceRollOuts:
    model, tokenizer = load_model(folder)
    return HuggingFaceRollOuts(model, tokenizer, rows=512)


def _sample(
    folder: Path, conversations: Sequence[Messages], samples: int, sampling: Sampling, seed: int
) -> list[list[Sample]]:
    return _loaded(folder).sample(conversations, samples=samples, sampling=sampling, seed=seed)


def _read(folder: Path, prompts: list[list[int]], choice: ChoiceTokens) -> list[Reading]:
    return _loaded(folder).read(prompts, choice)
