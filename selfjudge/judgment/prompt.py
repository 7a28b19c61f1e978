"""From two responses to the token ids that a judge reads, in both orders.

A judgment is rendered through the tokenizer's own chat template: a system message, a user turn with the context and the
responses, and the assistant's turn begun with the template's answer prefix, so that the very next token is the choice.
Trusted text is laid out once per template and principle; each comparison only joins strings and encodes. What the judge
says to it is in verdict.py, and what training makes of it in examples.py.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Literal, NamedTuple

from selfjudge.errors import BudgetError, ChoiceTokenError, TemplateError
from selfjudge.judgment.budget import CUT_MARK, Cut, Kept, allot
from selfjudge.judgment.conversation import Conversation, context_text
from selfjudge.judgment.quoting import Quoter, delimiters
from selfjudge.judgment.template import JudgmentTemplate, split_fields
from selfjudge.text.chat import Chat
from selfjudge.text.frame import Frame, Head
from selfjudge.text.memo import remember
from selfjudge.text.tokens import SafeTokenizer, Spans

Choice = Literal["A", "B"]


class ChoiceTokens(NamedTuple):
    """The token ids by which a judge says A and B."""

    a: int
    b: int


class Comparison(NamedTuple):
    """Two responses to one conversation."""

    conversation: Conversation
    first: str
    second: str


class JudgmentPrompts(NamedTuple):
    """Token ids of one comparison in both orders; `cut` is None where the judge is shown everything."""

    first_at_a: list[int]
    first_at_b: list[int]
    cut: Cut | None


class Context:
    """A conversation as one encoder shows it to the judge, made once for all comparisons of responses to it."""

    def __init__(self, head: Head, tokens: SafeTokenizer) -> None:
        self.head = head
        self._tokens = tokens
        self._spans: Spans | None = None
        self._measuring = Lock()

    @property
    def text(self) -> str:
        """Quoted, as it stands in the prompt where nothing is cut."""
        return self.head.field

    @property
    def spans(self) -> Spans:
        """Of its tokens, made when first asked for; other threads wait meanwhile."""
        with self._measuring:
            if self._spans is None:
                self._spans = self._tokens.spans(self.text)
            return self._spans


class JudgmentEncoder:
    """Encodes judgments by one template and principle for one tokenizer. Cheap to make once the `Chat` is there."""

    def __init__(
        self, chat: Chat, template: JudgmentTemplate, principle: str | None = None, *, max_tokens: int
    ) -> None:
        """`max_tokens` is the longest prompt, in tokens; leave room for what the judge is to generate.

        Raises PrincipleError, ChatTemplateError, ChoiceTokenError, and BudgetError where the template alone is longer.
        """
        self.chat, self.template, self.principle, self.max_tokens = chat, template, principle, max_tokens
        self._tokens = chat.tokens
        wording = template.wording(principle)
        scaffold, takes_system = chat.question()
        opening = (scaffold[0], wording.system, scaffold[1] if takes_system else "\n\n", wording.user[0])
        closing = (wording.user[-1], scaffold[-1], wording.answer_prefix)
        pieces = ("".join(opening), *wording.user[1:-1], "".join(closing))
        self._ending = self._tokens.trusted(pieces[-1])
        self.choice_tokens, self._space = self._resolve_choice()
        self._frame = Frame(self._tokens, (*pieces[:-1], pieces[-1].removesuffix(self._space)))
        self._quote = Quoter(delimiters(template, wording), chat.role_markers(scaffold))
        self._spans = remember(self._tokens.spans, 64)
        self.skeleton_tokens = len(self._frame.encode([(Head(CUT_MARK, None), (CUT_MARK,) * 2)])[0])
        """Tokens of the prompt with everything cut away: `max_tokens` can't be less."""
        if self.skeleton_tokens > max_tokens:
            raise BudgetError(
                f"{self._label()} needs {self.skeleton_tokens} tokens for its own words, but a prompt may have "
                f"{max_tokens}; use a shorter template or a longer context"
            )

    def _label(self) -> str:
        under = f", principle {self.principle!r}" if self.principle else ""
        return f"judgment template {self.template.name!r}{under}, tokenizer {self._tokens.name!r}"

    def _resolve_choice(self) -> tuple[ChoiceTokens, str]:
        """The choice tokens behind the answer prefix, and what they take of its end: a space, or nothing."""
        with_a, with_b = (self._tokens.encode(f"{self._ending}{letter}") for letter in "AB")
        for space in ("", " "):
            ending = self._tokens.encode(self._ending.removesuffix(space))
            if with_a[:-1] == ending == with_b[:-1] and with_a[-1] != with_b[-1]:
                return ChoiceTokens(with_a[-1], with_b[-1]), space
        shown = [self._tokens.source.convert_ids_to_tokens(ids[-4:]) for ids in (with_a, with_b)]
        raise ChoiceTokenError(
            f"{self._label()}: A and B must each be one token behind the answer prefix "
            f"{self.template.answer_prefix!r}, but the text then ends in the tokens {shown[0]} and {shown[1]}"
        )

    def check(self, conversation: Conversation) -> None:
        """Whether a conversation can be shown to a judge; encodes nothing. Raises ConversationError."""
        context_text(self.template, conversation, str)

    def context(self, conversation: Conversation) -> Context:
        """A conversation, for any number of comparisons by `pair`. Raises ConversationError."""
        return self._contexts([conversation])[0]

    def _contexts(self, conversations: Sequence[Conversation]) -> list[Context]:
        texts = [context_text(self.template, conversation, self._quote) for conversation in conversations]
        made = {head.field: Context(head, self._tokens) for head in self._frame.heads(dict.fromkeys(texts))}
        return [made[text] for text in texts]

    def encode(self, conversation: Conversation, first: str, second: str) -> JudgmentPrompts:
        """Both orders of one comparison. Raises ConversationError, never an error about length."""
        return self.pair(self.context(conversation), first, second)

    def pair(self, context: Context, first: str, second: str) -> JudgmentPrompts:
        """Both orders of one comparison; the ids are those of `encode`."""
        return self._pairs([(context, first, second)])[0]

    def encode_batch(self, comparisons: Sequence[Comparison]) -> list[JudgmentPrompts]:
        """Both orders of each comparison, in the order given."""
        contexts = self._contexts([conversation for conversation, _, _ in comparisons])
        pairs = zip(contexts, comparisons, strict=True)
        return self._pairs([(context, first, second) for context, (_, first, second) in pairs])

    def _pairs(self, pairs: Sequence[tuple[Context, str, str]]) -> list[JudgmentPrompts]:
        quoted = [(context, self._quote(first), self._quote(second)) for context, first, second in pairs]
        ids = self._frame.encode((context.head, each) for context, a, b in quoted for each in ((a, b), (b, a)))
        prompts = zip(quoted, ids[::2], ids[1::2], strict=True)
        return [
            JudgmentPrompts(ab, ba, None) if max(len(ab), len(ba)) <= self.max_tokens else self._cut(*shown)
            for shown, ab, ba in prompts
        ]

    def _cut(self, context: Context, first: str, second: str) -> JudgmentPrompts:
        """The comparison cut by the rule of budget.py, and then by what joining the parts adds, if anything."""
        fields = (context.text, first, second)
        spans = (context.spans, self._spans(first), self._spans(second))
        totals = list(map(len, spans))
        room = self.max_tokens - self.skeleton_tokens
        while True:
            kept = allot(room, totals)
            shown, a, b = (CUT_MARK,) * 3 if room == 0 else _shortened(fields, spans, kept)
            [head] = self._frame.heads([shown])
            ab, ba = self._frame.encode([(head, (a, b)), (head, (b, a))])
            excess = max(len(ab), len(ba)) - self.max_tokens
            if excess <= 0:
                return JudgmentPrompts(ab, ba, Cut(*map(Kept, kept, totals)))
            room = max(0, room - excess)

    def rationale_prompt(self, conversation: Conversation, first: str, second: str, choice: Choice) -> list[int]:
        """The prompt with `first` at place A, the choice token, and the beginning of the rationale, for generation.

        The result is up to a few dozen tokens longer than `max_tokens`. Raises TemplateError where the template has no
        rationale.
        """
        if self.template.rationale is None:
            raise TemplateError(f"{self._label()} has no rationale; choose a template with the key 'rationale'")
        opening = split_fields(self.template.rationale.format)[0][0].rstrip(" ")
        return self.continued(self.encode(conversation, first, second).first_at_a, choice, opening)

    def continued(self, prompt: list[int], choice: Choice, text: str) -> list[int]:
        """A prompt, the choice token, and more text behind it, as `SafeTokenizer.encode` takes it."""
        ending = self._ending.removesuffix(self._space)
        before = [*self._tokens.encode(ending), self.choice_tokens.a if choice == "A" else self.choice_tokens.b]
        whole = self._tokens.encode(f"{ending}{self._space}{choice}{text}")
        if whole[: len(before)] != before:
            raise ChoiceTokenError(f"{self._label()}: the choice token merges with {text[:20]!r} behind it")
        return prompt + whole[len(before) - 1 :]


def _shortened(fields: tuple[str, str, str], spans: Sequence[Spans], kept: Sequence[int]) -> tuple[str, str, str]:
    """The end of the context and the beginnings of the responses, of so many tokens each."""
    context, a, b = fields
    tokens, spans_of_context = kept[0], spans[0]
    if tokens < len(spans_of_context):
        context = CUT_MARK + context[spans_of_context[-tokens][0] if tokens else len(context) :]
    return context, _beginning(a, spans[1], kept[1]), _beginning(b, spans[2], kept[2])


def _beginning(text: str, spans: Spans, tokens: int) -> str:
    if tokens == len(spans):
        return text
    return text[: spans[tokens - 1][1] if tokens else 0] + CUT_MARK
