"""Rendered examples for people: what is a target of the loss stands out, control tokens are dimmed.

With colours targets are green; without (a file, a pipe, NO_COLOR) they stand between the brackets below. Plain ANSI
codes are enough for that.
"""

import os
from itertools import groupby
from typing import TextIO

from selfjudge import Chat
from selfjudge_training.data.examples.jsft_example import Form, JsftExample

TARGET, CONTROL, TITLE, RESET = "\x1b[1;32m", "\x1b[2m", "\x1b[1m", "\x1b[0m"
OPENING, CLOSING = "⟦", "⟧"

_KINDS: dict[Form, str] = {
    "dialogue": "dialogue",
    "document": "judgment, better response at {}",
    "pair": "judgment in place, better response at {}",
    "score": "score in place, {}",
}

# A text must not steer the terminal: control characters but line ends and tabs are shown as their pictures.
_PICTURES = {
    **{code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"},
    **dict.fromkeys(range(0x7F, 0xA0), 0xFFFD),
}


def wants_colours(stream: TextIO) -> bool:
    """Whether a stream is a terminal that nobody asked to do without (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def rendered(chat: Chat, example: JsftExample, *, colours: bool) -> str:
    """The whole example as text, below a line that says what it is."""
    shown = f"{TITLE}{_title(example)}{RESET}\n" if colours else f"{_title(example)}\n"
    controls = chat.tokens.control_ids
    kinds = zip(example.input_ids, example.targets, strict=True)
    for (target, control), run in groupby(kinds, lambda pair: (pair[1], pair[0] in controls)):
        # Bytes of one character may be on both sides of a border only where a template ends in half of one.
        text = str(chat.tokens.source.decode([token for token, _ in run], clean_up_tokenization_spaces=False))
        before, after = _marks(target=target, control=control, colours=colours)
        shown += before + text.translate(_PICTURES) + after
    return shown


def _title(example: JsftExample) -> str:
    parts = [_KINDS[example.form].format(example.choice)]
    if example.principle:
        parts.append(f"principle {example.principle!r}")
    parts.append(f"{len(example.input_ids)} tokens, {sum(example.targets)} of them targets")
    return ", ".join([*parts, "cut"] if example.cut else parts)


def _marks(*, target: bool, control: bool, colours: bool) -> tuple[str, str]:
    if colours:
        return (TARGET, RESET) if target else (CONTROL, RESET) if control else ("", "")
    return (OPENING, CLOSING) if target else ("", "")
