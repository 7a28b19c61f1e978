"""Builds the answer of a best-of-N chat request: a standard ChatCompletion, plus how it was selected.

Pure: from what was sampled and judged to JSON-ready dictionaries, whole or as the chunks of a stream.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from selfjudge import PrincipleVerdict, Record, Verdict
from selfjudge_service.best_of_n.judging.fitness import label_mass, match_fitness
from selfjudge_service.best_of_n.judging.in_place import InPlacePanel, Scored
from selfjudge_service.best_of_n.judging.judge import Judged, Panel
from selfjudge_service.best_of_n.sampler import Sampled
from selfjudge_service.best_of_n.selecting.run import SelectionResult
from selfjudge_service.protocol.requests import SelfRejection
from selfjudge_service.settings import MethodName

Json = dict[str, Any]


class Head(NamedTuple):
    """What an answer and each of its chunks begin with."""

    id: str
    created: int
    """Unix time, in seconds."""
    model: str
    """The name of the weights that answer."""


class Selection(NamedTuple):
    """Everything an answer is made of."""

    head: Head
    options: SelfRejection
    best_of_n: int
    top: int
    """Candidates to return."""
    seed: int
    method: MethodName
    panel: Panel | InPlacePanel
    result: SelectionResult
    sampled: dict[int, Sampled]
    broken: dict[int, str]
    """Candidates that break what the request constrains them to, each with the reason."""
    warnings: Sequence[str]

    @property
    def returned(self) -> list[int]:
        """The candidates that are returned, best first."""
        return self.result.ranking[: self.top]


def chat_completion(selection: Selection) -> Json:
    """The whole answer, as in OpenAI's chat API, with the field `self_rejection` added."""
    best = selection.sampled[selection.result.ranking[0]].response
    return {
        **best.model_dump(),
        **selection.head._asdict(),
        "choices": _choices(selection),
        "usage": _usage(selection),
        "self_rejection": _report(selection),
    }


class Usage(NamedTuple):
    """Which chunks of a stream bear the usage."""

    at_end: bool = False
    always: bool = False


def stream_chunks(selection: Selection, usage: Usage) -> Iterator[Json]:
    """The same answer as chunks: role, content piece by piece, finish; the last finish carries `self_rejection`."""
    whole = chat_completion(selection)
    head = {**_chunk(selection.head), "system_fingerprint": whole["system_fingerprint"]}
    if usage.always:
        head["usage"] = whole["usage"]
    # vLLM's own streams bear the prompt once.
    first = {key: whole[key] for key in ("prompt_token_ids", "prompt_text") if whole[key] is not None}
    for choice in whole["choices"]:
        for delta, extra in _deltas(choice):
            part = {"index": choice["index"], "delta": delta, "finish_reason": None, **extra}
            yield {**head, **first, "choices": [part]}
            first = {}
        finish = {key: choice[key] for key in ("index", "finish_reason", "stop_reason")}
        last = choice is whole["choices"][-1]
        report = {"self_rejection": whole["self_rejection"]} if last else {}
        yield {**head, "choices": [{**finish, "delta": {}}], **report}
    if usage.at_end:
        yield {**head, "choices": [], "usage": whole["usage"]}


def progress_chunk(head: Head, progress: Json) -> Json:
    """A chunk without choices: how far a tournament has come."""
    return {**_chunk(head), "choices": [], "self_rejection": {"progress": progress}}


def _chunk(head: Head) -> Json:
    return {**head._asdict(), "object": "chat.completion.chunk"}


def _deltas(choice: Json) -> Iterator[tuple[Json, Json]]:
    message = choice["message"]
    yield {"role": message["role"], "content": ""}, {}
    if message.get("reasoning"):
        yield {"reasoning": message["reasoning"]}, {}
    content = message.get("content") or ""
    # Log-probabilities and ids belong to tokens, not to words: with them the text is one piece.
    of_tokens = {key: choice[key] for key in ("logprobs", "token_ids") if choice.get(key)}
    if of_tokens:
        yield {"content": content}, of_tokens
    else:
        for piece in re.findall(r"\s*\S+\s*|\s+", content):
            yield {"content": piece}, {}
    if calls := message.get("tool_calls"):
        yield {"tool_calls": [{"index": index, **call} for index, call in enumerate(calls)]}, {}


def _choices(selection: Selection) -> list[Json]:
    chosen = [selection.sampled[candidate].response.choices[0] for candidate in selection.returned]
    return [{**choice.model_dump(), "index": index} for index, choice in enumerate(chosen)]


def _usage(selection: Selection) -> Json:
    usages = {candidate: sampled.response.usage for candidate, sampled in selection.sampled.items()}
    first = next(iter(usages.values()))
    sampled = sum(usage.completion_tokens or 0 for usage in usages.values())
    returned = sum(usages[candidate].completion_tokens or 0 for candidate in selection.returned)
    details = first.completion_tokens_details
    reasoning = sum(
        u.completion_tokens_details.reasoning_tokens for u in usages.values() if u.completion_tokens_details
    )
    return {
        **first.model_dump(),
        "completion_tokens": sampled,
        "total_tokens": first.prompt_tokens + sampled,
        "completion_tokens_details": {
            **({"reasoning_tokens": reasoning} if details else {}),
            "rejected_prediction_tokens": sampled - returned,
        },
    }


def _report(selection: Selection) -> Json:
    result, panel = selection.result, selection.panel
    report: Json = {
        "best_of_n": selection.best_of_n,
        "candidates_finished": len(result.texts),
        "candidates_failed": [
            {"candidate": index, "error": failure.message} for index, failure in sorted(result.failures.items())
        ],
        "constraint_broken": [{"candidate": index, "why": why} for index, why in sorted(selection.broken.items())],
        "method": selection.method,
        "ranking": result.ranking,
        "seed": selection.seed,
        "judge": selection.options.judge,
        "template": panel.template,
        "principles": list(panel.principles),
        "deadline_reached": result.deadline_reached,
        **(_of_scores(result) if selection.method == "score" else _of_matches(selection)),
        "warnings": list(selection.warnings),
    }
    if "candidates" in selection.options.include:
        report["candidates"] = [_candidate(index, selection) for index in sorted(selection.sampled)]
    return report


def _of_matches(selection: Selection) -> Json:
    result = selection.result
    told: Json = {
        **match_fitness(result.judged),
        "truncated": [cut_json(judged) for judged in result.judged if judged.cut],
        "usage": {**judging_usage(result.judged), "matches": len(result.judged)},
    }
    if "bracket" in selection.options.include:
        told["bracket"] = [record_json(record) for record in result.records]
    return told


def _of_scores(result: SelectionResult) -> Json:
    return {
        "label_mass": label_mass(result.scored),
        "truncated": [{"response": scored.cut._asdict()} for scored in result.scored if scored.cut],
        "usage": judging_usage(result.scored),
    }


def _candidate(index: int, selection: Selection) -> Json:
    sampled = selection.sampled[index]
    choice = sampled.response.choices[0]
    return {
        "candidate": index,
        "message": choice.message.model_dump(),
        "finish_reason": choice.finish_reason,
        "completion_tokens": sampled.response.usage.completion_tokens,
        **({"score": selection.result.scores.get(index)} if selection.method == "score" else {}),
    }


def record_json(record: Record) -> Json:
    """One match of a bracket."""
    return asdict(record)


def cut_json(judged: Judged) -> Json:
    """What was cut of a comparison to fit the context, in tokens kept and in all."""
    cut = judged.cut
    return {} if cut is None else {name: kept._asdict() for name, kept in cut._asdict().items()}


def judging_usage(judged: Sequence[Judged | Scored]) -> Json:
    """Tokens read to judge, and the part of them that came from the prefix cache."""
    return {
        "judge_prompt_tokens": sum(one.prompt_tokens for one in judged),
        "judge_cached_tokens": sum(one.cached_tokens for one in judged),
        "judge_reads": sum(one.reads for one in judged),
    }


def verdict_json(verdict: Verdict) -> Json:
    """A verdict, and those under each principle; orders are those with the first response at place A and at place B."""
    return {
        **_outcome(verdict),
        "win_rate": verdict.win_rate,
        "principles": [
            {"principle": one.principle, **_outcome(one)} for one in verdict.principles if one.principle is not None
        ],
    }


def _outcome(verdict: Verdict | PrincipleVerdict) -> Json:
    return {
        "winner": verdict.winner,
        "probability_a": verdict.probability_a,
        "orders": verdict.orders._asdict(),
        "consistent": verdict.consistent,
        "label_mass": verdict.label_mass,
    }
