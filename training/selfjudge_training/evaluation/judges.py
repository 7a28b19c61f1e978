"""Judges behind one interface: an answer key, a model folder, a selfjudge server; a chat model is in `chat_judge`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pydantic import TypeAdapter, ValidationError

from selfjudge import (
    Comparison,
    Conversation,
    JudgmentEncoder,
    JudgmentTemplate,
    Orders,
    Verdict,
    Winner,
    load_templates,
)
from selfjudge.judgment.verdict import outcome
from selfjudge_training.rollouts.base import RollOuts
from selfjudge_training.rollouts.judge import Judge as Reference
from selfjudge_training.run.endpoint import Endpoint, EndpointError

POINTS: Mapping[Winner, float] = {"A": 1.0, "tie": 0.5, "B": 0.0}

BATCH = 32
"""Comparisons in one request to a server, whose own limit is 256 (`--max-comparisons`)."""


class Judgment(NamedTuple):
    """One comparison judged in both orders."""

    winner: Winner
    """A: the first response; B: the second."""
    probability_a: float
    """P(the first response is better), averaged over both orders and all principles."""
    orders: Orders
    """The same for each order alone."""
    consistent: bool
    """Whether both orders have the same winner."""
    label_mass: float
    """How much of the judge's answer was an answer to the question; 1 at best."""
    cut: bool = False
    """Whether texts had to be cut to fit the judge's context."""

    @classmethod
    def of(cls, verdict: Verdict, *, cut: bool = False) -> "Judgment":
        """What a verdict says."""
        return cls(verdict.winner, verdict.probability_a, verdict.orders, verdict.consistent, verdict.label_mass, cut)

    @classmethod
    def certain(cls, winner: Winner) -> "Judgment":
        """Without a doubt, whatever the order."""
        return cls(winner, POINTS[winner], Orders(POINTS[winner], POINTS[winner]), consistent=True, label_mass=1.0)

    @property
    def points(self) -> float:
        """What the first response gets: 1 for a win, half for a tie, 0 for a loss."""
        return POINTS[self.winner]


class Judge(Protocol):
    """Compares responses."""

    def __call__(self, comparisons: Sequence[Comparison], principle: str | None = None, /) -> list[Judgment]:
        """A judgment of each comparison, in the order given, under one principle.

        Without a principle, and by a judge that knows none, it is on the whole, under all principles where there are
        any. Raises ValueError for a principle that the judge does not know.
        """
        ...


Referee = Callable[[Sequence[Comparison]], Sequence[Judgment | Verdict]]
"""Any judge on the whole."""


def decide(judge: Referee, comparisons: Sequence[Comparison]) -> list[Judgment]:
    """What the judge says of each comparison; equal responses are a tie without asking."""
    verdicts = iter(judge([one for one in comparisons if one.first != one.second]))
    said = [next(verdicts) if one.first != one.second else Judgment.certain("tie") for one in comparisons]
    return [one if isinstance(one, Judgment) else Judgment.of(one) for one in said]


def answer_judge(answers: Mapping[str, str]) -> Judge:
    """Has the right answer by question: the right one wins, under every principle; both right or both wrong tie."""

    def judge(comparisons: Sequence[Comparison], _: str | None = None) -> list[Judgment]:
        judgments = []
        for said, first, second in comparisons:
            answer = answers[said if isinstance(said, str) else said[-1]["content"]]
            judgments.append(Judgment.certain(outcome([(first == answer) - (second == answer)])))
        return judgments

    return judge


def model_judge(rollouts: RollOuts, template: JudgmentTemplate) -> Judge:
    """A model without adapter, run in this process, by one template; what its context can't hold is cut.

    Raises SelfJudgeError where template and tokenizer do not go together.
    """
    room = rollouts.context - 1  # the choice token needs a place, too
    by_principle = {
        principle: JudgmentEncoder(rollouts.chat, template, principle, max_tokens=room)
        for principle in template.principles or (None,)
    }

    def judge(comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:
        if principle is None or None in by_principle:
            encoders = list(by_principle.values())
        elif principle in by_principle:
            encoders = [by_principle[principle]]
        else:
            known = ", ".join(map(str, by_principle))
            raise ValueError(f"a pair has the principle {principle!r}, but the template knows {known}")
        verdicts = Reference(rollouts, encoders).verdicts(comparisons)
        # The templates' principles differ by a few words: what one of them cuts, about all of them do.
        cut = [prompts.cut is not None for prompts in encoders[0].encode_batch(comparisons)]
        return [Judgment.of(verdict, cut=some) for verdict, some in zip(verdicts, cut, strict=True)]

    return judge


def server_judge(endpoint: Endpoint, template: str, model: str | None = None) -> Judge:
    """A selfjudge server, by its `POST /judge` and a template that it knows; without a ``model``, by its base model.

    Raises EndpointError, also for a principle that the server does not know.
    """
    own = load_templates().get(template)
    # A template that we don't know is the operator's own: the server says whether it has the principle.
    knows_principles = own is None or own.principles is not None

    def judge(comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:
        how = {"template": template, **({"model": model} if model else {})}
        under = {"principles": [principle]} if principle is not None and knows_principles else {}
        asked = [_asked(*comparison) for comparison in comparisons]
        batches = [asked[start : start + BATCH] for start in range(0, len(asked), BATCH)]
        answers = endpoint.post_all("judge", [{**how, **under, "comparisons": batch} for batch in batches], "judging")
        return [one for batch, answer in zip(batches, answers, strict=True) for one in _judgments(answer, len(batch))]

    return judge


_JUDGMENTS = TypeAdapter(list[Judgment])


def _asked(conversation: Conversation, first: str, second: str) -> dict[str, Any]:
    key = "prompt" if isinstance(conversation, str) else "messages"
    return {key: conversation, "response_a": first, "response_b": second}


def _judgments(answer: dict[str, Any], asked: int) -> list[Judgment]:
    for one in answer.get("data", []):
        if isinstance(one, dict) and "error" in one:
            raise EndpointError(f"/judge could not judge a comparison: {one['error']}")
    try:
        *shared, _ = Judgment._fields
        said = [[*(one[key] for key in shared), one["truncated"] is not None] for one in answer["data"]]
        judgments = _JUDGMENTS.validate_python(said)
    except (KeyError, TypeError, ValidationError) as error:
        raise EndpointError(f"the answer of /judge is not as docs/api.md has it: {error!r}") from error
    if len(judgments) != asked:
        raise EndpointError(f"/judge answered {len(judgments)} judgments to {asked} comparisons")
    return judgments
