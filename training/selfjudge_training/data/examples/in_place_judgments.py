"""Judgments in place as training examples: a conversation, its answer, the question about it, and the label.

One sequence can teach the answer and the judgment of it.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from selfjudge import Answered, Chat, InPlaceEncoder, InPlaceTemplate
from selfjudge_training.data.examples.jsft_example import JsftExample
from selfjudge_training.data.examples.shown import as_shown
from selfjudge_training.data.records import PreferencePair, ScoredResponse


class InPlaceJudgments:
    """Those by one template. What is longer than `max_tokens` is left out."""

    def __init__(self, chat: Chat, template: InPlaceTemplate, max_tokens: int, system: str | None) -> None:
        """`system` is put before conversations that have no system message.

        Raises ChatTemplateError and ChoiceTokenError as the encoder does.
        """
        self._encoder, self._chat = InPlaceEncoder(chat, template), chat
        self._max_tokens, self._system = max_tokens, system

    def of_pair(self, pair: PreferencePair, replay: bool) -> Iterator[JsftExample]:  # of a kind with those of documents
        """Each response once as the given one; none where one of the two sequences is too long.

        With `replay` the chosen response is a target where it is the given one.
        """
        conversation = as_shown(self._chat, pair.conversation, self._system)
        at_a = self._encoder.answered(conversation, pair.chosen, pair.rejected)
        at_b = self._encoder.answered(conversation, pair.rejected, pair.chosen)
        orders = [
            self._example(at_a, "A", "pair", good=True, learned=replay),
            self._example(at_b, "B", "pair", good=False),
        ]
        yield from self._fitting(orders)

    def of_response(self, scored: ScoredResponse) -> Iterator[JsftExample]:
        """The one example of a response, or none."""
        conversation = as_shown(self._chat, scored.conversation, self._system)
        answered = self._encoder.answered(conversation, scored.response)
        label = self._encoder.template.labels[0 if scored.right else 1]
        yield from self._fitting(
            [
                self._example(
                    answered, label, "score", good=scored.right, learned=scored.demonstrate, rationale=scored.rationale
                )
            ]
        )

    def _fitting(self, examples: Sequence[JsftExample]) -> Sequence[JsftExample]:
        return examples if all(len(each.input_ids) <= self._max_tokens for each in examples) else ()

    def _example(
        self,
        answered: Answered,
        choice: str,
        question: Literal["pair", "score"],
        *,
        good: bool,
        learned: bool = False,
        rationale: str = "",
    ) -> JsftExample:
        prompt, response, tail = answered
        said = self._encoder.judged(good=good, text=rationale)
        before = [*prompt, *response, *tail]
        # The token that ends the response is the first of the tail.
        place = (len(prompt), len(prompt) + len(response) + 1) if learned else ()
        mask = [False] * len(before) + [True] * len(said)
        return JsftExample(before + said, mask, choice, replay=place, question=question)
