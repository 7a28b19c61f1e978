"""The conversation that is judged about, encoded once for all comparisons of one request."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from selfjudge import Context, Conversation, JudgmentEncoder

# Encoded within milliseconds, which is less than a thread costs.
_SHORT_CHARACTERS = 16_384

_Encoded = TypeVar("_Encoded")


class Contexts:
    """Contexts by each encoder of a panel, of the last conversation: a tournament has no other."""

    def __init__(self) -> None:
        self._conversation: Conversation | None = None
        self._encoding: asyncio.Future[list[Context]] | None = None

    async def of(self, conversation: Conversation, encoders: Sequence[JudgmentEncoder]) -> list[Context]:
        """The conversation as each encoder shows it.

        Raises:
            ConversationError: if it can't be shown to a judge.
        """
        if self._encoding is None or self._conversation != conversation:
            self._conversation = conversation
            self._encoding = asyncio.ensure_future(
                aside(lambda: [encoder.context(conversation) for encoder in encoders], characters(conversation))
            )
            # Otherwise asyncio logs an error that every waiting caller was cancelled before.
            self._encoding.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Other comparisons wait for it too, and go on when this one is cancelled.
        return await asyncio.shield(self._encoding)


async def aside(encode: Callable[[], _Encoded], characters: int) -> _Encoded:
    """Encodes long texts in a thread: megabytes take many seconds, in which the server would answer no request."""
    return encode() if characters <= _SHORT_CHARACTERS else await asyncio.to_thread(encode)


def characters(conversation: Conversation, *responses: str) -> int:
    """How much there is to encode."""
    turns = [conversation] if isinstance(conversation, str) else [str(turn.get("content")) for turn in conversation]
    return sum(map(len, (*turns, *responses)))
