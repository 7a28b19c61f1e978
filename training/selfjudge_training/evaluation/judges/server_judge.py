"""A running selfjudge server as the judge, by its `POST /judge`."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from selfjudge import Comparison, Orders, Winner, load_templates
from selfjudge_training.evaluation.judges.judgment import Judgment
from selfjudge_training.run.endpoint import Endpoint, EndpointError

BATCH = 32
"""Comparisons in one request; the server's own limit is 256 (`--max-comparisons`)."""


class _Orders(BaseModel):
    first_at_a: float
    first_at_b: float


class _Judgment(BaseModel):
    """The part of a judgment in docs/api.md that evaluation reads."""

    winner: Winner
    probability_a: float
    orders: _Orders
    consistent: bool
    label_mass: float
    truncated: dict[str, Any] | None


_DATA = TypeAdapter(list[_Judgment])


class ServerJudge:
    """Judges by a template that the server knows; without a ``model`` or adapter, by the server's base model."""

    def __init__(self, endpoint: Endpoint, template: str, model: str | None = None) -> None:
        self._endpoint = endpoint
        self._options: dict[str, Any] = {"template": template, **({"model": model} if model else {})}
        own = load_templates().get(template)
        # A template that we don't know is the operator's own: the server says whether it has the principle.
        self._knows_principles = own is None or own.principles is not None

    def verdicts(self, comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:
        """As `Judge.verdicts`. Raises EndpointError, also for a principle that the server does not know."""
        under = {"principles": [principle]} if principle is not None and self._knows_principles else {}
        batches = [comparisons[start : start + BATCH] for start in range(0, len(comparisons), BATCH)]
        bodies = [{**self._options, **under, "comparisons": list(map(_body, batch))} for batch in batches]
        answers = self._endpoint.post_all("judge", bodies, "judging")
        return [
            judgment for batch, answer in zip(batches, answers, strict=True) for judgment in _judgments(batch, answer)
        ]


def _body(comparison: Comparison) -> dict[str, Any]:
    context = comparison.conversation
    key = "prompt" if isinstance(context, str) else "messages"
    return {key: context, "response_a": comparison.first, "response_b": comparison.second}


def _judgments(batch: Sequence[Comparison], answer: dict[str, Any]) -> list[Judgment]:
    for one in answer.get("data", []):
        if isinstance(one, dict) and "error" in one:
            raise EndpointError(f"/judge could not judge a comparison: {one['error']}")
    try:
        data = _DATA.validate_python(answer.get("data"))
    except ValidationError as error:
        raise EndpointError(f"the answer of /judge is not as docs/api.md has it: {error}") from error
    if len(data) != len(batch):
        raise EndpointError(f"/judge answered {len(data)} judgments to {len(batch)} comparisons")
    return [
        Judgment(
            one.winner,
            one.probability_a,
            Orders(one.orders.first_at_a, one.orders.first_at_b),
            one.consistent,
            one.label_mass,
            one.truncated is not None,
        )
        for one in data
    ]
