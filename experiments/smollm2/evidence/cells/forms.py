"""The three forms of judgment, read off one engine: score in place, document of two responses, pair in place."""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import NamedTuple

from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import RollOuts, encode_prompts

from experiments.smollm2.evidence.cells.prefix_cache import PrefixCache
from experiments.smollm2.evidence.evidence_plan import Form
from selfjudge import (
    ChoiceTokens,
    Comparison,
    InPlaceEncoder,
    JudgmentEncoder,
    PrincipleVerdict,
    Reading,
    load_in_place_templates,
    load_templates,
)

SCORE, DOCUMENT, PAIR = "in-place-score", "ultrafeedback", "in-place-pair"
"""The templates."""


class Read(NamedTuple):
    """Log-probabilities of the good label and the bad one, or of A and B."""

    good: float
    bad: float

    @property
    def reading(self) -> Reading:
        """As verdicts are made of."""
        return Reading(self.good, self.bad)


class Answer(NamedTuple):
    """A response; its token ids are those that were sampled, the end of its turn included where it is finished."""

    text: str
    token_ids: list[int]


class Meeting(NamedTuple):
    """Two responses to one conversation."""

    conversation: Messages
    first: Answer
    second: Answer


class Match(NamedTuple):
    """Two answers of a row compared in both orders."""

    first: int
    second: int
    first_at_a: Read
    first_at_b: Read

    @property
    def verdict(self) -> PrincipleVerdict:
        """Over both orders."""
        return PrincipleVerdict(None, self.first_at_a.reading, self.first_at_b.reading)


class Orders(NamedTuple):
    """Token ids of a comparison in both orders."""

    first_at_a: list[int]
    first_at_b: list[int]


class Forms:
    """One model as a judge."""

    def __init__(self, rollouts: RollOuts) -> None:
        in_place, chat = load_in_place_templates(), rollouts.chat
        self._rollouts = rollouts
        self._score = InPlaceEncoder(chat, in_place[SCORE])
        self._pair = InPlaceEncoder(chat, in_place[PAIR])
        self._document = JudgmentEncoder(chat, load_templates()[DOCUMENT], max_tokens=rollouts.context - 1)
        one, other = self._document.encode_batch([Comparison(text, text, text) for text in ("1", "a")])
        alike = takewhile(lambda ids: ids[0] == ids[1], zip(one.first_at_a, other.first_at_a, strict=False))
        self._opening = [token for token, _ in alike]

    def scores(self, conversations: Sequence[Messages], answers: Sequence[Answer]) -> list[Read]:
        """What the judge says of each answer in its place."""
        prompts = self._prompts(conversations)
        ids = [
            prompt + self._score.continued(answer.token_ids) for prompt, answer in zip(prompts, answers, strict=True)
        ]
        return self._read(ids, ChoiceTokens(*self._score.labels))

    def score_costs(self, conversation: Messages, answers: Sequence[Answer]) -> list[int]:
        """Tokens computed for the score of each answer by the engine that has just sampled it."""
        [prompt] = self._prompts([conversation])
        return [
            _after([prompt + answer.token_ids[:-1]]).computed(prompt + self._score.continued(answer.token_ids))
            for answer in answers
        ]

    def encode(self, form: Form, meetings: Sequence[Meeting]) -> list[Orders]:
        """Comparisons as the judge is asked them."""
        if form == "document":
            asked = [Comparison(said, first.text, second.text) for said, first, second in meetings]
            return [Orders(one.first_at_a, one.first_at_b) for one in self._document.encode_batch(asked)]
        prompts = self._prompts([said for said, _, _ in meetings])
        return [
            Orders(
                prompt + self._pair.continued(first.token_ids, second.text),
                prompt + self._pair.continued(second.token_ids, first.text),
            )
            for prompt, (_, first, second) in zip(prompts, meetings, strict=True)
        ]

    def compare(self, form: Form, asked: Sequence[Orders]) -> list[tuple[Read, Read]]:
        """What the judge says in each order."""
        labels = self._document.choice_tokens if form == "document" else ChoiceTokens(*self._pair.labels)
        reads = iter(self._read([ids for orders in asked for ids in orders], labels))
        return list(zip(reads, reads, strict=True))

    def cost(self, form: Form, conversation: Messages, answers: Sequence[Answer], asked: Iterable[Orders]) -> int:
        """Tokens computed for comparisons of one request, by the engine that has just sampled these answers."""
        [prompt] = self._prompts([conversation])
        sampled = [prompt + answer.token_ids[:-1] for answer in answers]
        cache = _after([self._opening] if form == "document" else sampled)
        return sum(cache.computed(ids) for orders in asked for ids in orders)

    def answers(self, conversation: Messages, texts: Sequence[str]) -> list[Answer]:
        """Responses that are known as text."""
        return [Answer(text, self._score.answered(conversation, text).response) for text in texts]

    def _prompts(self, conversations: Sequence[Messages]) -> list[list[int]]:
        return encode_prompts(self._rollouts.chat, conversations)

    def _read(self, prompts: Sequence[list[int]], labels: ChoiceTokens) -> list[Read]:
        return [Read(one.logprob_a, one.logprob_b) for one in self._rollouts.read(prompts, labels)]


def _after(computed: Iterable[Sequence[int]]) -> PrefixCache:
    cache = PrefixCache()
    for ids in computed:
        cache.computed(ids)
    return cache
