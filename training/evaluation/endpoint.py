"""JSON over HTTP to a judge or a policy that runs elsewhere: many requests at once, retried where that may help.

The base address is what an OpenAI client is given (it ends in `/v1`). The API key comes from an environment variable,
so that no configuration, and so no report, ever holds it.
"""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import httpx
from tqdm import tqdm

TRIES = 5
WAIT_SECONDS = 1.0
"""Before the second try; doubled each time, unless the server names a time itself."""
LONGEST_WAIT_SECONDS = 60.0
RETRIED = frozenset({408, 429, 500, 502, 503, 504})
REQUESTS_AT_ONCE = 8
TIMEOUT = httpx.Timeout(600, connect=10)
"""A batch of judgments, or of long samples, takes a busy server minutes."""


class EndpointError(ValueError):
    """An endpoint can't be reached, refuses a request, or answers something else than what was asked for."""


class Endpoint:
    """A context manager, as it holds connections.

    Args:
        base_url: up to and with `/v1`.
        key_variable: environment variable that holds the API key; None: no key is sent.
        transport: what carries requests, where not the network.

    Raises:
        EndpointError: where the variable is not set.
    """

    def __init__(
        self, base_url: str, key_variable: str | None = None, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        headers = {}
        if key_variable is not None:
            key = os.environ.get(key_variable)
            if not key:
                raise EndpointError(f"the environment variable {key_variable} should hold the API key of {base_url}")
            headers["Authorization"] = f"Bearer {key}"
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT, transport=transport)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request. Raises EndpointError, after `TRIES` tries where the failure may pass."""
        url, failure, wait = f"{self.base_url}/{path}", "", 0.0
        for attempt in range(TRIES):
            time.sleep(wait)
            wait = min(WAIT_SECONDS * 2**attempt, LONGEST_WAIT_SECONDS)
            try:
                response = self._client.post(url, json=body)
            except httpx.TransportError as error:
                failure = f"no answer: {type(error).__name__}: {error}"
                continue
            if response.is_success:
                return _json(url, response)
            failure = f"answered {response.status_code}: {response.text[:500]}"
            if response.status_code not in RETRIED:
                break
            asked = response.headers.get("Retry-After", "")
            if asked.isdecimal():
                wait = min(float(asked), LONGEST_WAIT_SECONDS)
        raise EndpointError(f"{url}: {failure}")

    def post_all(self, path: str, bodies: Sequence[dict[str, Any]], progress: str) -> list[dict[str, Any]]:
        """Answers in the order of the bodies, `REQUESTS_AT_ONCE` under way at a time. Raises EndpointError."""
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as executor:
            futures = [executor.submit(self.post, path, body) for body in bodies]
            try:
                return [future.result() for future in tqdm(futures, progress, unit="request", leave=False)]
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


def _json(url: str, response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError as error:
        raise EndpointError(f"{url}: answered something else than JSON: {response.text[:200]!r}") from error
    if not isinstance(answer, dict):
        raise EndpointError(f"{url}: answered a JSON {type(answer).__name__} instead of an object")
    return answer
