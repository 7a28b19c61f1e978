"""IFEval (arXiv 2311.07911): its prompts answered in rounds, verified by the public package `if-verifiable`."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import langdetect
import nltk.tokenize
import punkt
from if_verifiable import IFEvalSample, evaluate_output_for_sample, get_eval_data
from if_verifiable.ifeval import instructions_util
from selfjudge_training.data.source import DataError

from experiments.smollm2.evidence.cells.bench import Bench
from experiments.smollm2.evidence.evidence_plan import IfEval

AT_ONCE = 64
"""Prompts answered together."""


class _Sentences:
    """NLTK's model of English sentences as the package `punkt` brings it; NLTK would download it."""

    tokenize = staticmethod(punkt.sent_tokenize)


instructions_util._get_sentence_tokenizer = _Sentences  # nothing public takes another
nltk.tokenize.sent_tokenize = punkt.sent_tokenize
langdetect.DetectorFactory.seed = 0  # else a language is detected by chance


class Followed(NamedTuple):
    """Which instructions of a prompt an answer follows."""

    strict: list[bool]
    loose: list[bool]
    """Also where the first or last line, or asterisks, stand in the way."""


def load_prompts(plan: IfEval) -> dict[str, IFEvalSample]:
    """The benchmark's prompts by their keys. Raises DataError where they can't be had."""
    rows = _read(plan.path) if plan.path else _from_hub()
    return {str(one.key): one for one in islice(rows, plan.prompts)}


def _from_hub() -> Iterator[IFEvalSample]:
    try:
        yield from get_eval_data("ifeval")
    except Exception as error:  # the hub's client and the loaders raise almost anything
        raise DataError(f"google/IFEval can't be had from the hub ({error}); name its file by --ifeval") from error


def _read(path: Path) -> Iterator[IFEvalSample]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield IFEvalSample(**json.loads(line))


def answer_round(bench: Bench, number: int) -> None:
    """One more round of answers, each with its score."""
    plan = bench.plan.ifeval
    prompts = {key: one.prompt for key, one in load_prompts(plan).items()}
    bench.sample(round_file(bench, number), prompts, plan.per_round, plan.decoding.sampling, AT_ONCE)


def round_file(bench: Bench, number: int) -> Path:
    """Where a round is kept."""
    return bench.file(f"ifeval-{number}")


def follow(prompt: IFEvalSample, texts: Sequence[str]) -> list[Followed]:
    """What each answer follows; an empty one follows nothing."""
    found = []
    for text in texts:
        results: list[Any] = evaluate_output_for_sample("ifeval", prompt, text)[0]
        nothing = [False] * len(prompt.instruction_id_list)
        strict, loose = ([getattr(one, key) for one in results] or nothing for key in ("strict_pass", "loose_pass"))
        found.append(Followed(strict, loose))
    return found
