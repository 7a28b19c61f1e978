"""From prompts and responses to training documents: token ids with a loss weight on each target.

Weights are by example, not by token: the targets of a dialogue, of a judgment, of a response share one weight between
them, whatever their number, since a token-mean loss drowns the single choice token in answers. All rendering is
``selfjudge``'s; this file only says what is predicted in it, and how much each prediction counts.
"""

from collections.abc import Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from selfjudge import (
    Chat,
    Choice,
    JudgmentEncoder,
    JudgmentTemplate,
    SafeTokenizer,
    dialogue_example,
    judgment_example,
    load_templates,
)

TEMPLATE = "ultrafeedback"
"""The judgment template that the shipped model learns (table 13), and the default system message with it (table 11)."""

SYSTEM_MESSAGE = str(load_templates()[TEMPLATE].system)


class Document(NamedTuple):
    """One training sequence; both lists have its length."""

    ids: list[int]
    weights: list[float]
    """Weight in the loss of predicting each token from those before it; 0 for context."""


class Places(NamedTuple):
    """Where the two responses stand in a judgment prompt: first token, and one past the last."""

    a: tuple[int, int]
    b: tuple[int, int]


class Renderer:
    """Renders documents for one tokenizer and one judgment template: the shipped model's where none is given."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        template: JudgmentTemplate | None = None,
        principle: str | None = None,
        max_tokens: int = 1024,
    ) -> None:
        """Raises ValueError where the tokenizer does not make one token of each border beside a response."""
        self.chat = Chat(SafeTokenizer(tokenizer))
        template = template or load_templates()[TEMPLATE]
        self.encoder = JudgmentEncoder(self.chat, template, principle, max_tokens=max_tokens)
        _, before_a, before_b, closing = template.wording(principle).user
        borders = [self.chat.tokens.encode(border) for border in (before_a, before_b, f"{closing}\n")]
        if any(len(border) != 1 for border in borders):
            raise ValueError(
                f"the tokenizer must have one token for each piece of template {template.name!r} beside a response, "
                f"but makes {[len(border) for border in borders]} of them"
            )
        self._borders = [border[0] for border in borders]

    def dialogue(self, prompt: str, response: str, *, system: bool, weight: float = 1.0) -> Document:
        """A prompt and its answer, with or without the default system message in front."""
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        if system:
            messages.insert(0, {"role": "system", "content": SYSTEM_MESSAGE})
        example = dialogue_example(self.chat, messages)
        return Document(example.input_ids, _shared(example.loss_mask, weight))

    def judgment(self, prompt: str, response_a: str, response_b: str, choice: Choice, weight: float = 1.0) -> Document:
        """A judgment; targets are the choice token and the end of the turn (appendix A.3)."""
        example = judgment_example(self.encoder, prompt, response_a, response_b, choice)
        return Document(example.input_ids, _shared(example.loss_mask, weight))

    def places(self, ids: Sequence[int]) -> Places:
        """Where the responses stand in a judgment prompt that was not cut."""
        before_a, before_b, behind_b = (ids.index(border) for border in self._borders)
        return Places((before_a + 1, before_b), (before_b + 1, behind_b))

    def with_response(self, document: Document, place: Choice, weight: float) -> Document:
        """The judgment with the response at one place, and the border that ends it, as further targets."""
        start, end = getattr(self.places(document.ids), place.lower())
        weights = list(document.weights)
        for index in range(start, end + 1):
            weights[index] += weight / (end + 1 - start)
        return Document(document.ids, weights)


def judgment_encoder(chat: Chat, max_tokens: int) -> JudgmentEncoder:
    """As the shipped model is asked."""
    return JudgmentEncoder(chat, load_templates()[TEMPLATE], max_tokens=max_tokens)


def without_choice(document: Document) -> Document:
    """A judgment's document up to its last target before the choice: what pre-training reads."""
    last = max(index for index, weight in enumerate(document.weights) if weight)
    return Document(document.ids[: last + 1], document.weights[: last + 1])


def _shared(loss_mask: Sequence[bool], weight: float) -> list[float]:
    each = weight / sum(loss_mask)
    return [each if target else 0.0 for target in loss_mask]
