"""What a line of the bracket log says: one selection, whole, so that it can be read without the server.

It leaves out the definitions of tools, the settings of sampling, reasoning (which judges don't see), and the caller.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from selfjudge import Conversation
from selfjudge_service.best_of_n.response import Json, record_json, verdict_json
from selfjudge_service.best_of_n.sampler import Sampled
from selfjudge_service.best_of_n.selecting.run import SelectionResult
from selfjudge_service.settings import MethodName

FORMAT = 1
"""Version of the lines' form."""


class Facts(NamedTuple):
    """What a selection was about and how it was judged."""

    id: str
    time: datetime
    """When it ended."""
    route: str
    model: str
    """The weights that answered: the base model's name, an adapter's, or `policy@version`."""
    method: MethodName
    judge: str
    template: str
    principles: Sequence[str]
    seed: int
    conversation: Conversation


def entry(facts: Facts, result: SelectionResult, sampled: Mapping[int, Sampled], candidates: int) -> Json:
    """The object of a line. A candidate that failed, or was not finished at the deadline, is null.

    Args:
        facts: about the selection.
        result: how it went.
        sampled: what was sampled here; candidates that came with the request were not.
        candidates: how many there were to be.
    """
    return {
        "format": FORMAT,
        **facts._asdict(),
        "time": facts.time.isoformat(timespec="milliseconds"),
        "conversation": _messages(facts.conversation),
        "candidates": [_candidate(number, result, sampled) for number in range(candidates)],
        "matches": [_match(record_json(record), result) for record in result.records],
        "ranking": result.ranking,
        "winner": result.ranking[0],
        "deadline_reached": result.deadline_reached,
    }


def _messages(conversation: Conversation) -> list[Json]:
    if isinstance(conversation, str):
        return [{"role": "user", "content": conversation}]
    return [dict(message) for message in conversation]


def _candidate(number: int, result: SelectionResult, sampled: Mapping[int, Sampled]) -> Json | None:
    if number not in result.texts:
        return None
    told: Json = {"text": result.texts[number], "finish_reason": None, "tool_calls": 0}
    if number in sampled:
        choice = sampled[number].response.choices[0]
        told.update(finish_reason=choice.finish_reason, tool_calls=len(choice.message.tool_calls or ()))
    if number in result.scores:
        told["score"] = result.scores[number]
    return told


def _match(record: Json, result: SelectionResult) -> Json:
    verdict = result.verdicts.get((record["first"], record["second"]))
    return {**record, "verdict": verdict and verdict_json(verdict)}
