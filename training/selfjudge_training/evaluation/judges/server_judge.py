"""A running selfjudge server as the judge, by its `POST /judge`."""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from selfjudge import Comparison, load_templates
from selfjudge_training.evaluation.judges.judgment import Judgment
from selfjudge_training.run.endpoint import Endpoint, EndpointError

BATCH = 32
"""Comparisons in one request; the server's own limit is 256 (`--max-comparisons`)."""

_JUDGMENTS = TypeAdapter(list[Judgment])
_READ = ("winner", "probability_a", "orders", "consistent", "label_mass")
"""The keys of a judgment in docs/api.md that are ours, too; `truncated` is the other one that is read."""


class ServerJudge:
    """Judges by a template that the server knows; without a ``model`` or adapter, by the server's base model."""

    def __init__(self, endpoint: Endpoint, template: str, model: str | None = None) -> None:
        self._endpoint = endpoint
        self._options = {"template": template, **({"model": model} if model else {})}
        own = load_templates().get(template)
        # A template that we don't know is the operator's own: the server says whether it has the principle.
        self._knows_principles = own is None or own.principles is not None

    def verdicts(self, comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:
        """As `Judge.verdicts`. Raises EndpointError, also for a principle that the server does not know."""
        under = {"principles": [principle]} if principle is not None and self._knows_principles else {}
        asked = [_asked(comparison) for comparison in comparisons]
        batches = [asked[start : start + BATCH] for start in range(0, len(asked), BATCH)]
        bodies = [{**self._options, **under, "comparisons": batch} for batch in batches]
        answers = self._endpoint.post_all("judge", bodies, "judging")
        judged = [_judgments(answer, len(batch)) for batch, answer in zip(batches, answers, strict=True)]
        return [judgment for judgments in judged for judgment in judgments]


def _asked(comparison: Comparison) -> dict[str, Any]:
    context = comparison.conversation
    key = "prompt" if isinstance(context, str) else "messages"
    return {key: context, "response_a": comparison.first, "response_b": comparison.second}


def _judgments(answer: dict[str, Any], asked: int) -> list[Judgment]:
    for one in answer.get("data", []):
        if isinstance(one, dict) and "error" in one:
            raise EndpointError(f"/judge could not judge a comparison: {one['error']}")
    try:
        judgments = _JUDGMENTS.validate_python(
            [{key: one[key] for key in _READ} | {"cut": one["truncated"] is not None} for one in answer["data"]]
        )
    except (KeyError, TypeError, ValidationError) as error:
        raise EndpointError(f"the answer of /judge is not as docs/api.md has it: {error!r}") from error
    if len(judgments) != asked:
        raise EndpointError(f"/judge answered {len(judgments)} judgments to {asked} comparisons")
    return judgments
