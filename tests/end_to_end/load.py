"""Clients that keep a server busy from threads, and write down how each of their requests ended."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

from tests.end_to_end.serving import Server

_MESSAGES = [{"role": "user", "content": "Sort these letters: QDBA"}]


class Outcome(NamedTuple):
    """How one request ended; `text` is all that was received, and `status` None where the connection broke."""

    status: int | None
    retry_after: str | None
    text: str

    @property
    def answered(self) -> bool:
        """Whether it ended as promised: a whole answer, or one that says when to come back."""
        if self.status == httpx.codes.OK:
            return not self.text.startswith(("data:", ":")) or self.text.rstrip().endswith("data: [DONE]")
        return self.status == httpx.codes.SERVICE_UNAVAILABLE and self.retry_after is not None


def ask(server: Server, **body: Any) -> Outcome:  # noqa: ANN401  any JSON
    """One chat request to its end."""
    key = {"Authorization": f"Bearer {server.key}"} if server.key else {}  # an empty one is no legal header
    whole = {"messages": _MESSAGES, **body}
    try:
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=whole, headers=key, timeout=240)
    except httpx.TransportError as error:
        return Outcome(None, None, repr(error))
    return Outcome(answer.status_code, answer.headers.get("retry-after"), answer.text)


@contextmanager
def clients(server: Server, bodies: list[dict[str, Any]]) -> Iterator[list[Outcome]]:
    """One client for each body, which repeats it until the block ends; yields the outcomes as they come."""
    outcomes: list[Outcome] = []
    stop = threading.Event()

    def repeat(body: dict[str, Any]) -> None:
        while not stop.is_set():
            outcomes.append(ask(server, **body))
            time.sleep(0.1)

    threads = [threading.Thread(target=repeat, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    try:
        yield outcomes
    finally:
        stop.set()
        for thread in threads:
            thread.join()
