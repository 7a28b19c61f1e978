"""JSON over HTTP to a model that runs elsewhere: many requests at once, retried where that may help.

The base address is what an OpenAI client is given (it ends in `/v1`). The API key comes from an environment variable,
so that no configuration, and so no report, ever holds it.
"""

import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Self, TypeVar

import httpx
from tqdm import tqdm

TRIES = 5
WAIT_SECONDS = 1.0
"""Before the second try; doubled each time, unless the server names a time itself."""
LONGEST_WAIT_SECONDS = 60.0
RETRIED = frozenset({408, 429, 500, 502, 503, 504})
REQUESTS_AT_ONCE = 8
TOO_LONG = re.compile(r"context[ _](length|size)", re.IGNORECASE)
"""In a refusal (400) of what is longer than the context, by the words of OpenAI, vLLM, SGLang and llama.cpp alike."""
TIMEOUT = httpx.Timeout(600, connect=10)
"""A batch of judgments, or of long samples, takes a busy server minutes."""


class EndpointError(ValueError):
    """An endpoint can't be reached, refuses a request, or answers something else than what was asked for."""


class TooLongError(EndpointError):
    """A request leaves no room in the context of the model that runs elsewhere."""


Item = TypeVar("Item")
Result = TypeVar("Result")


class Endpoint:
    """A context manager, as it holds connections.

    Args:
        base_url: up to and with `/v1`.
        key_variable: environment variable that holds the API key; None: no key is sent.
        at_once: requests under way at a time.
        transport: what carries requests, where not the network.

    Raises:
        EndpointError: where the variable is not set.
    """

    def __init__(
        self,
        base_url: str,
        key_variable: str | None = None,
        *,
        at_once: int = REQUESTS_AT_ONCE,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url, self._at_once = base_url.rstrip("/"), at_once
        headers = {}
        if key_variable is not None:
            key = os.environ.get(key_variable)
            if not key:
                raise EndpointError(f"the environment variable {key_variable} should hold the API key of {base_url}")
            headers["Authorization"] = f"Bearer {key}"
        limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT, limits=limits, transport=transport)

    def get(self, path: str) -> dict[str, Any]:
        """What is at a path. Raises EndpointError as `post` does."""
        return self._answer("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request.

        Raises EndpointError, after `TRIES` tries where the failure may pass, and TooLongError, one of these.
        """
        return self._answer("POST", path, body)

    def _answer(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        url, failure, wait = f"{self.base_url}/{path}", "", 0.0
        for attempt in range(TRIES):
            time.sleep(wait)
            wait = min(WAIT_SECONDS * 2**attempt, LONGEST_WAIT_SECONDS)
            try:
                response = self._client.request(method, url, json=body)
            except httpx.TransportError as error:
                failure = f"no answer: {type(error).__name__}: {error}"
                continue
            if response.is_success:
                return _json(url, response)
            failure = f"answered {response.status_code}: {response.text[:500]}"
            if response.status_code == httpx.codes.BAD_REQUEST and TOO_LONG.search(response.text):
                raise TooLongError(f"{url}: {failure}")
            if response.status_code not in RETRIED:
                break
            asked = response.headers.get("Retry-After", "")
            if asked.isdecimal():
                wait = min(float(asked), LONGEST_WAIT_SECONDS)
        raise EndpointError(f"{url}: {failure}")

    def post_all(
        self, path: str, bodies: Sequence[dict[str, Any]], progress: str | None = None
    ) -> list[dict[str, Any]]:
        """Answers in the order of the bodies, with a progress bar of that name. Raises EndpointError."""
        return self.each(partial(self.post, path), bodies, progress)

    def each(self, ask: Callable[[Item], Result], items: Sequence[Item], progress: str | None = None) -> list[Result]:
        """What ``ask`` makes of each item, in their order, so many at once; what it raises first ends it."""
        with ThreadPoolExecutor(self._at_once) as executor:
            futures = [executor.submit(ask, item) for item in items]
            waiting = tqdm(futures, progress, unit="request", leave=False, disable=progress is None)
            try:
                return [future.result() for future in waiting]
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _json(url: str, response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError as error:
        raise EndpointError(f"{url}: answered something else than JSON: {response.text[:200]!r}") from error
    if not isinstance(answer, dict):
        raise EndpointError(f"{url}: answered a JSON {type(answer).__name__} instead of an object")
    return answer
