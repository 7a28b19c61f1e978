"""A model at work: its engine starts when something has to be asked of it, and stays for all that is."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import Sampling
from selfjudge_training.rollouts.engine import EngineRollOuts
from selfjudge_training.seeds import derived_seed

from experiments.smollm2.evidence.cells.forms import Answer, Forms, Read
from experiments.smollm2.evidence.evidence_plan import EvidencePlan, Model
from experiments.smollm2.evidence.kept import KeptRow, keep
from loadtests.machine import describe

CONTEXT = 4096
"""Tokens: the longest comparison of LLMBar has two long answers and a long question."""


class Sampled(KeptRow):
    """The answers of a model to one prompt, and what it says of each in its place."""

    texts: list[str]
    token_ids: list[list[int]]
    reads: list[Read]
    costs: list[int]
    """Tokens computed for each read, the engine having the answer in its cache."""

    @property
    def answers(self) -> list[Answer]:
        """As judges take them."""
        return [Answer(text, ids) for text, ids in zip(self.texts, self.token_ids, strict=True)]

    @property
    def scores(self) -> list[float]:
        """By which the model picks."""
        return [read.reading.margin for read in self.reads]


class Bench:
    """One model, and the folder of what all are measured by."""

    def __init__(self, plan: EvidencePlan, root: Path, name: str) -> None:
        self.plan, self.root, self.name = plan, root, name

    @property
    def model(self) -> Model:
        """What the plan says of it."""
        return self.plan.models[self.name]

    @cached_property
    def identity(self) -> str:
        """What tells its weights from others."""
        return describe(self.model.path)["model"]

    @cached_property
    def rollouts(self) -> EngineRollOuts:
        """Its engine."""
        return EngineRollOuts(self.model.path, rank=1, max_tokens=CONTEXT)

    @cached_property
    def forms(self) -> Forms:
        """Its judgments."""
        return Forms(self.rollouts)

    def file(self, measured: str, of: str | None = None) -> Path:
        """Where something is kept that was measured of a model, by default of this one."""
        return self.root / (of or self.name) / f"{measured}.jsonl"

    def sample(self, file: Path, prompts: dict[str, str], samples: int, sampling: Sampling, at_once: int) -> None:
        """Answer prompts, given by their keys."""
        how = {"model": self.identity, "seed": self.plan.seed, "samples": samples, **sampling._asdict()}

        def answer(keys: list[str]) -> list[Sampled]:
            seed = derived_seed(self.plan.seed, file.stem, keys[0])
            said = [asked(prompts[key]) for key in keys]
            drawn = self.rollouts.sample(said, samples=samples, sampling=sampling, seed=seed)
            answers = [[Answer(one.text, one.token_ids) for one in row] for row in drawn]
            reads = iter(self._scores(said, answers))
            return [
                Sampled(
                    key=key,
                    texts=[one.text for one in row],
                    token_ids=[one.token_ids for one in row],
                    reads=[next(reads) for _ in row],
                    costs=self.forms.score_costs(conversation, row),
                )
                for key, conversation, row in zip(keys, said, answers, strict=True)
            ]

        keep(file, Sampled, how, list(prompts), at_once, answer)

    def _scores(self, said: Sequence[Messages], answers: Sequence[Sequence[Answer]]) -> list[Read]:
        conversations = [conversation for conversation, row in zip(said, answers, strict=True) for _ in row]
        return self.forms.scores(conversations, [one for row in answers for one in row])


def asked(prompt: str) -> Messages:
    """A conversation of one turn."""
    return [{"role": "user", "content": prompt}]


def best_index(scores: Sequence[float]) -> int:
    """The first of the greatest."""
    return max(range(len(scores)), key=lambda place: scores[place])
