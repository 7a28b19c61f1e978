"""What a tokenizer's own chat template puts around the contents of messages.

The template is rendered once for each sequence of roles, with placeholders that nobody can guess where contents go;
what stands around them is trusted text and is kept. Contents never pass through the template, so a template that
edits them (trims, drops old reasoning) does not do so here, and a date that it prints is that of the first rendering.
"""

import inspect
import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from jinja2 import TemplateError as JinjaError

from selfjudge.errors import ChatTemplateError
from selfjudge.text.thinking import open_tag
from selfjudge.text.tokens import SafeTokenizer

CLOSING: Final = ("enable_thinking", "thinking")
"""What templates call the option that, if false, has an answer begin without reasoning."""

_FAILURES: Final = (JinjaError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a template raises; of Python's own errors those that come of options of a kind that it doesn't expect."""

Scaffold = tuple[str, ...]
"""Trusted text around n contents: n + 1 pieces, control tokens under their real names."""


class Chat:
    """A tokenizer's chat template, or another in its place, as the scaffolds around messages."""

    def __init__(
        self,
        tokens: SafeTokenizer,
        chat_template: str | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """`chat_template_kwargs`: options for the template; what it can't mind is left out (`minded`).

        Raises ChatTemplateError where the tokenizer has no chat template and none is given.
        """
        self.tokens = tokens
        if chat_template is None and tokens.source.chat_template is None:
            raise ChatTemplateError(
                f"tokenizer {tokens.name!r} has no chat template; set its chat_template, or pass one "
                "(selfjudge.DIALOGUE_TEMPLATE is the paper's)"
            )
        self._template = chat_template
        self._options = self.minded(chat_template_kwargs or {})
        self.scaffold = lru_cache(256)(self._scaffold)

    def minded(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Those of a caller's options that can make a difference: the template has their names.

        What Transformers gives a template itself (`messages`, `tools`, ...) is left out.
        """
        of_transformers = {"messages", *inspect.signature(self.tokens.source.apply_chat_template).parameters}
        source = str(self._template or self.tokens.source.chat_template)
        return {name: value for name, value in options.items() if name in source and name not in of_transformers}

    def with_options(self, options: Mapping[str, Any]) -> "Chat":
        """The same template with a caller's options on top of its own."""
        return Chat(self.tokens, self._template, {**self._options, **options})

    def _scaffold(self, roles: tuple[str, ...], *, answering: bool, closing: str | None = None) -> Scaffold:
        """The text around the contents of messages of these roles; with `answering`, up to where an answer begins.

        `closing` names an option that is set to false.
        Raises ChatTemplateError where the template refuses the roles, or does not show each content once, in order.
        """
        nonce = secrets.token_hex(8)
        marks = [f"{nonce}-{index}-" for index in range(len(roles))]
        messages = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
        options = self._options | ({closing: False} if closing else {})
        try:
            text = str(
                self.tokens.source.apply_chat_template(
                    messages,
                    chat_template=self._template,
                    tokenize=False,
                    add_generation_prompt=answering,
                    **options,
                )
            )
        except _FAILURES as error:
            raise self._error(roles, f"refuses: {error}") from error
        pieces = []
        for mark in marks:
            piece, found, text = text.partition(mark)
            if not found or mark in text:
                raise self._error(roles, "does not show the content of each exactly once and in order")
            pieces.append(piece)
        return (*pieces, text)

    def _error(self, roles: Sequence[str], what: str) -> ChatTemplateError:
        return ChatTemplateError(
            f"chat template of tokenizer {self.tokens.name!r}, given roles {', '.join(roles)}: {what}"
        )

    def question(self) -> tuple[Scaffold, bool]:
        """The scaffold of a system message and a question, and whether it has a place for the system message.

        Where the template refuses or loses a system role (Gemma, early Mistral), the scaffold is that of a question
        alone, and the system message belongs at the head of it. Where reasoning is left open at the end, which the
        answer would then be a part of, an option of the template closes it, if it has one for that.
        """
        return self._question(self._closing())

    def _closing(self) -> str | None:
        if open_tag(self._question(None)[0][-1]):
            for closing in self.minded(dict.fromkeys(CLOSING)):
                if not open_tag(self._question(closing)[0][-1]):
                    return closing
        return None

    def _question(self, closing: str | None) -> tuple[Scaffold, bool]:
        try:
            return self.scaffold(("system", "user"), answering=True, closing=closing), True
        except ChatTemplateError:
            return self.scaffold(("user",), answering=True, closing=closing), False

    def follow_up(self) -> tuple[str, str]:
        """What stands between an answer and a further question, and between that and the answer to it.

        White space that the template puts before an answer belongs to it; reasoning is closed as in `question`.
        Raises ChatTemplateError where the turns before make a difference.
        """
        closing, turns = self._closing(), ("user", "assistant", "user")
        conversations = [turns, (*turns[:2], *turns)]
        if self._question(closing)[1]:
            conversations.append(("system", *turns))
        shown = [self.scaffold(roles, answering=True, closing=closing)[-2:] for roles in conversations]
        for roles, (behind_answer, asking) in zip(conversations, shown, strict=True):
            if (behind_answer, asking) != shown[0]:
                raise self._error(
                    roles,
                    f"shows the last turn between {behind_answer!r} and {asking!r}, but given {', '.join(turns)} alone "
                    f"between {shown[0][0]!r} and {shown[0][1]!r}; a judgment in place needs a template that shows a "
                    "turn alike whatever comes before it",
                )
        behind_answer, asking = shown[0]
        lead = self.scaffold((*turns, "assistant"), answering=False, closing=closing)[-2].removeprefix(asking)
        return behind_answer, asking + (lead if lead.isspace() else "")

    def left_open(self) -> str | None:
        """The tag of reasoning, such as `<think>`, that a question leaves open whatever the template's options."""
        return open_tag(self.question()[0][-1])

    def asking(self, roles: tuple[str, ...], shown: str) -> str:
        """The part of `shown`, which stands between the last of `roles` and an answer to it, that is not the model's.

        Raises ChatTemplateError where the template asks for an answer in other words than those.
        """
        prompt = self.scaffold(roles, answering=True)[-1]
        if not shown.startswith(prompt):
            raise self._error(roles, f"asks for an answer by {prompt!r}, but shows one behind {shown!r}")
        return prompt

    def turn_end(self) -> str:
        """What ends an assistant's turn: the text from behind its content to the first control token, included."""
        return self.ending(self.scaffold(("user", "assistant"), answering=False)[-1])

    def end_ids(self) -> list[int]:
        """Ids of the tokens at which an answer is over, ascending: the one that ends the turn, and end-of-sequence.

        They differ where a base model's tokenizer brings a chat template (Qwen 2.5's, say). A program that generates
        has to stop at each. Raises ChatTemplateError as `ending`.
        """
        turn_end = self.tokens.encode(self.tokens.trusted(self.turn_end()))[-1]
        end_of_sequence = self.tokens.source.eos_token_id
        return sorted({turn_end} if end_of_sequence is None else {turn_end, int(end_of_sequence)})

    def ending(self, text: str) -> str:
        """The part of `text`, which follows an assistant's content, that the model itself has to say.

        Raises ChatTemplateError where no control token follows: a model could not learn from it when to stop.
        """
        controls = self.tokens.controls(text)
        if not controls:
            raise self._error(("user", "assistant"), "ends the assistant's turn by no control token")
        return text[: controls[0][1]]

    def role_markers(self, scaffold: Scaffold) -> frozenset[str]:
        """Lines by which this template parts its turns where it does so in ordinary text, for quoting.Quoter."""
        bos = str(self.tokens.source.bos_token or "")
        markers: set[str] = set()
        for piece in scaffold:
            text = piece.replace(bos, "") if bos else piece
            if not self.tokens.controls(text):
                markers.update(filter(None, map(str.strip, text.split("\n"))))
        return frozenset(markers)
