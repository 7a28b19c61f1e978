"""Judgments in place: behind an answer the user asks about it, and one token of the assistant's turn is the verdict.

The engine's cache holds the conversation and the answer already, so that only the question is read. What stands behind
the answer is encoded apart from it, from the token that ends the answer's turn: training and serving then agree token
for token, whatever tokens the answer was sampled as. Logprobs of both labels are a `Reading`, its A the good label.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from selfjudge.errors import ChoiceTokenError, ConversationError, TemplateError
from selfjudge.judgment.conversation import Conversation, message_text
from selfjudge.judgment.quoting import Quoter, line_beginnings
from selfjudge.judgment.template import Schema, TemplateName, fields_are, split_fields
from selfjudge.text.chat import Chat
from selfjudge.text.frame import Frame, Head

RESPONSE_FIELD = "response_b"


def _question(text: str) -> str:
    names = split_fields(text)[1]
    if names not in ([], [RESPONSE_FIELD]):
        raise ValueError(f"has the fields {names}, but may have {{{RESPONSE_FIELD}}}, once, and no other")
    return text


def _label(value: Any) -> Any:  # noqa: ANN401  # what is not checked yet
    if isinstance(value, bool):
        raise ValueError(  # noqa: TRY004  # a TypeError would not become a ValidationError
            'write labels in quotes, like "yes": bare, YAML takes yes and no for truth values'
        )
    return value


_Label = Annotated[str, BeforeValidator(_label), Field(min_length=1)]


class InPlaceTemplate(Schema):
    """What the user asks about the answer just given, and by which two labels the model replies."""

    form: Literal["in-place"]
    """Tells these templates from those of documents, which have no such key."""

    name: TemplateName
    """What requests call it: lower-case letters, digits and hyphens."""

    source: str
    """Where the words come from."""

    question: Annotated[str, Field(min_length=1), AfterValidator(_question)]
    """The user's turn. With `{response_b}` it compares: the answer given is A, that other one B."""

    answer_prefix: Annotated[str, fields_are()] = ""
    """The start of the assistant's turn; the label comes right behind it."""

    labels: tuple[_Label, _Label]
    """The good one and the bad one; of a pair, that A is better and that B is."""

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        if self.labels[0] == self.labels[1]:
            raise ValueError("key 'labels' must hold two different labels")
        return self

    @property
    def compares(self) -> bool:
        """Whether another response is quoted."""
        return split_fields(self.question)[1] != []


class Labels(NamedTuple):
    """The token ids by which a judge says its verdict; of a pair, A is the good one."""

    good: int
    bad: int


class Answered(NamedTuple):
    """An answer in its conversation, and the question about it, up to the label."""

    prompt: list[int]
    response: list[int]
    """Without the token that ends its turn."""
    tail: list[int]
    """From that token on."""


class InPlaceEncoder:
    """Encodes judgments in place by one template for one tokenizer. Cheap to make once the `Chat` is there."""

    def __init__(self, chat: Chat, template: InPlaceTemplate) -> None:
        """Raises ChoiceTokenError where a label is not one token.

        Raises ChatTemplateError where no control token ends an answer, or turns look different in other conversations.
        """
        self.chat, self.template = chat, template
        self._tokens = chat.tokens
        behind_answer, behind_question = chat.follow_up()
        self._end_ids = frozenset(chat.end_ids())
        ends_turn = chat.ending(behind_answer)
        self._said = ends_turn[: chat.tokens.controls(ends_turn)[0][0]]
        question = split_fields(template.question)[0]
        prefix = split_fields(template.answer_prefix)[0][0]
        opening, *rest = question
        pieces = [behind_answer[len(self._said) :] + opening, *rest]
        pieces[-1] += behind_question + prefix
        self._ending = self._tokens.trusted(pieces[-1])
        self.labels, self._space = self._resolve_labels()
        pieces[-1] = pieces[-1].removesuffix(self._space)
        self._pieces = pieces
        self._quote = Quoter(line_beginnings(question), chat.role_markers((behind_answer, behind_question)))

    def _name(self) -> str:
        return f"judgment template {self.template.name!r}, tokenizer {self._tokens.name!r}"

    def _resolve_labels(self) -> tuple[Labels, str]:
        """The labels' tokens behind the answer prefix, and what they take of its end: a space, or nothing."""
        good, bad = (self._tokens.encode(f"{self._ending}{label}") for label in self.template.labels)
        for space in ("", " "):
            ending = self._tokens.encode(self._ending.removesuffix(space))
            if good[:-1] == ending == bad[:-1] and good[-1] != bad[-1]:
                return Labels(good[-1], bad[-1]), space
        shown = [self._tokens.source.convert_ids_to_tokens(ids[-4:]) for ids in (good, bad)]
        raise ChoiceTokenError(
            f"{self._name()}: each of the labels {', '.join(map(repr, self.template.labels))} must be one token behind "
            f"the answer prefix {self.template.answer_prefix!r}, but the text then ends in the tokens {shown[0]} and "
            f"{shown[1]}"
        )

    def tail(self, response_b: str | None = None) -> list[int]:
        """What follows the answer's last token: the end of its turn, the question, and the answer prefix.

        Raises TemplateError where the template compares and no response is given, or the reverse.
        """
        if self.template.compares != (response_b is not None):
            takes = "needs another response to compare with" if self.template.compares else "quotes no other response"
            raise TemplateError(f"judgment template {self.template.name!r} {takes}")
        return self._fixed if response_b is None else self._with(self._quote(response_b))

    @cached_property
    def _fixed(self) -> list[int]:
        return self._tokens.encode(self._tokens.trusted(self._pieces[0]))

    @cached_property
    def _frame(self) -> Frame:
        return Frame(self._tokens, self._pieces)

    def _with(self, quoted: str) -> list[int]:
        [ids] = self._frame.encode([(Head(quoted, None), ())])
        return ids

    def continued(self, answer: Sequence[int], response_b: str | None = None) -> list[int]:
        """The tokens of a sampled answer and the tail, for use behind the prompt that it was sampled from.

        A token that ends the answer is not repeated: the tail brings it, also where the answer was cut by its length.
        """
        ended = bool(answer) and answer[-1] in self._end_ids
        return [*(answer[:-1] if ended else answer), *self.tail(response_b)]

    def encode(self, conversation: Conversation, response: str, response_b: str | None = None) -> list[int]:
        """The whole judgment of an answer that is known as text. Raises as `answered` does."""
        prompt, answer, tail = self.answered(conversation, response, response_b)
        return prompt + answer + tail

    def answered(self, conversation: Conversation, response: str, response_b: str | None = None) -> Answered:
        """The same in its parts.

        Raises ConversationError where the conversation does not end with a turn to be answered, ChatTemplateError where
        the chat template refuses it, TemplateError as `tail`.
        """
        messages = [{"role": "user", "content": conversation}] if isinstance(conversation, str) else conversation
        roles = tuple(str(message["role"]) for message in messages)
        if not roles or roles[-1] == "assistant":
            raise ConversationError("the conversation before an answer must not be empty or end with the assistant's")
        *pieces, asking = self.chat.scaffold(roles, answering=True)
        shown = self.chat.scaffold((*roles, "assistant"), answering=False)[-2]
        lead = shown.removeprefix(self.chat.asking(roles, shown))
        trusted = self._tokens.trusted
        contents = map(message_text, messages)
        prompt = "".join(trusted(piece) + content for piece, content in zip(pieces, contents, strict=True))
        prompt += trusted(asking)
        answer = trusted(lead) + response + self._said
        prompt_ids, whole = self._tokens.encode_batch([prompt, prompt + answer])
        joined = whole[: len(prompt_ids)] == prompt_ids
        response_ids = whole[len(prompt_ids) :] if joined else self._tokens.encode(answer)
        return Answered(prompt_ids, response_ids, self.tail(response_b))

    def judged(self, *, good: bool, text: str = "") -> list[int]:
        """What the judge says: a label, more text behind it, and the end of its turn."""
        label = self.template.labels[0 if good else 1]
        ending = self._ending.removesuffix(self._space)
        before = [*self._tokens.encode(ending), self.labels.good if good else self.labels.bad]
        turn_end = self._tokens.trusted(self.chat.turn_end())
        whole = self._tokens.encode(f"{ending}{self._space}{label}{text}{turn_end}")
        if whole[: len(before)] != before:
            raise ChoiceTokenError(f"{self._name()}: the label {label!r} merges with {text[:20]!r} behind it")
        return whole[len(before) - 1 :]
