"""JSON over HTTP to a model that runs elsewhere, by OpenAI's client, many requests at once.

The API key comes from an environment variable, so that no configuration, and so no report, ever holds it.
"""

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import httpx2
import openai
from tqdm import tqdm

RETRIES = 6
"""Of what may pass, such as 429 and 503: waits double from half a second, or are as long as Retry-After says."""
REQUESTS_AT_ONCE = 8
TOO_LONG = re.compile(r"context[ _](length|size)", re.IGNORECASE)
"""In a refusal (400) of what is longer than the context, by the words of OpenAI, vLLM, SGLang and llama.cpp alike."""
TIMEOUT = httpx2.Timeout(600, connect=10)
"""A batch of judgments, or of long samples, takes a busy server minutes."""


class EndpointError(ValueError):
    """An endpoint can't be reached, refuses a request, or answers something else than what was asked for."""


class TooLongError(EndpointError):
    """A request leaves no room in the context of the model that runs elsewhere."""


Item = TypeVar("Item")
Result = TypeVar("Result")


class Endpoint:
    """Holds connections until it is closed; `base_url` goes up to and with `/v1`.

    ``key_variable`` is the environment variable that holds the API key, if one is to be sent. Raises EndpointError
    where it is not set.
    """

    def __init__(
        self,
        base_url: str,
        key_variable: str | None = None,
        *,
        at_once: int = REQUESTS_AT_ONCE,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.base_url, self._at_once = base_url.rstrip("/"), at_once
        key = os.environ.get(key_variable) if key_variable else None
        if key_variable and not key:
            raise EndpointError(f"the environment variable {key_variable} should hold the API key of {base_url}")
        self._options: Any = {} if key else {"headers": {"Authorization": openai.omit}}
        limits = httpx2.Limits(max_connections=at_once, max_keepalive_connections=at_once)
        self._client = openai.OpenAI(
            base_url=self.base_url,
            api_key=key or "none",
            max_retries=RETRIES,
            http_client=httpx2.Client(timeout=TIMEOUT, limits=limits, transport=transport),
        )

    def get(self, path: str) -> dict[str, Any]:
        """Raises EndpointError."""
        return self._answer(path, partial(self._client.get, path, cast_to=object, options=self._options))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Raises EndpointError, where the failure may pass after `RETRIES` more tries; TooLongError is one of these."""
        return self._answer(path, partial(self._client.post, path, cast_to=object, body=body, options=self._options))

    def _answer(self, path: str, ask: Callable[[], object]) -> dict[str, Any]:
        url = f"{self.base_url}/{path}"
        try:
            answer = ask()
        except openai.APIStatusError as error:
            said = error.response.text[:500]
            too_long = error.status_code == httpx2.codes.BAD_REQUEST and TOO_LONG.search(said)
            raise (TooLongError if too_long else EndpointError)(
                f"{url}: answered {error.status_code}: {said}"
            ) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise EndpointError(f"{url}: no answer: {type(cause).__name__}: {cause}") from error
        if not isinstance(answer, dict):
            raise EndpointError(f"{url}: answered something else than a JSON object: {str(answer)[:200]!r}")
        return answer

    def post_all(
        self, path: str, bodies: Sequence[dict[str, Any]], progress: str | None = None
    ) -> list[dict[str, Any]]:
        """Answers in the order of the bodies, with a progress bar of that name. Raises EndpointError."""
        return self.each(partial(self.post, path), bodies, progress)

    def each(self, ask: Callable[[Item], Result], items: Sequence[Item], progress: str | None = None) -> list[Result]:
        """What ``ask`` makes of each item, in their order, so many at once; what it raises first ends it."""
        with ThreadPoolExecutor(self._at_once) as executor:
            results = executor.map(ask, items)
            bar = tqdm(results, progress, len(items), unit="request", leave=False, disable=progress is None)
            return list(bar)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
