"""Reasoning inside a text: what stands between tags such as `<think>` and `</think>`."""

import re
from typing import Final

_TAG: Final = r"(?:seed:)?(?:think|thinking|thought|reasoning)[>\]▷]"
_BEGINS: Final = re.compile(rf"[<\[◁]{_TAG}", re.IGNORECASE)
_ENDS: Final = re.compile(rf"[<\[◁]/{_TAG}", re.IGNORECASE)


def without_reasoning(text: str) -> str:
    """What a text says behind its reasoning; nothing where the reasoning doesn't end.

    Where only the end of it is there, it began before the text did: chat templates begin it.
    """
    return _BEGINS.split(_ENDS.split(text)[-1])[0]


def open_tag(text: str) -> str | None:
    """The tag by which reasoning begins in a text that does not end it there."""
    match = _BEGINS.search(_ENDS.split(text)[-1])
    return match[0] if match else None
