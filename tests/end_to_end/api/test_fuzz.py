"""Thousands of odd requests to our routes on the real server: every one is answered, and none with a 5xx.

`FUZZ_REQUESTS` says how many of each kind; CI sends a few hundred.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.end_to_end.api.fuzzing import ANYTHING, VALID, limited, nearly_valid, unusual
from tests.end_to_end.serving import Server

if TYPE_CHECKING:
    from schemathesis import Case
    from schemathesis.schemas import APIOperation

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "100"))
ROUTES = ("/v1/chat/completions", "/judge", "/v1/judge", "/v1/rank", "/v1/adapters")
FUZZED = settings(
    max_examples=REQUESTS,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize="FUZZ_REQUESTS" not in os.environ,
)


class Answers(Counter[int]):
    """Counts statuses, and fails at a 5xx, or where an error is not in OpenAI's shape."""

    def check(self, answer: httpx.Response, sent: object) -> None:
        self[answer.status_code] += 1
        asked = f"{answer.request.method} {answer.request.url} {str(sent)[:2000]}"
        shown = f"{asked}: {answer.status_code} {answer.text[:2000]}"
        assert answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR, shown
        if answer.status_code >= httpx.codes.BAD_REQUEST and answer.request.method == "POST":
            assert answer.json()["error"]["message"], shown
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            assert '"code": 5' not in answer.text.replace('"code":5', '"code": 5'), shown


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


@pytest.fixture(scope="module")
def operations(client: httpx.Client) -> "list[APIOperation[Any, Any, Any, Any]]":
    # All workers collect this file, and only one of them needs what takes seconds to import.
    import schemathesis
    from schemathesis.core.result import Ok

    document = client.get("/openapi.json").json()
    document["paths"] = {path: item for path, item in document["paths"].items() if path.startswith(ROUTES)}
    found = list(schemathesis.openapi.from_dict(document).get_all_operations())
    sound = [one.ok() for one in found if isinstance(one, Ok)]
    assert len(sound) == len(found), found
    return sound


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_requests_by_the_document(client: httpx.Client, operations: "list[APIOperation[Any, Any, Any, Any]]") -> None:
    from schemathesis.core import NOT_SET

    answers = Answers()
    assert {operation.path for operation in operations} >= set(VALID)

    @FUZZED
    @given(case=st.one_of([operation.as_strategy() for operation in operations]))
    def send(case: "Case[Any]") -> None:
        path = case.formatted_path
        body = None if case.body is NOT_SET else limited(case.body)
        answers.check(post(client, path, body, case.method, dict(case.query or {})), body)

    send()
    print(f"by the document: {dict(answers)}")
    assert answers.total() >= REQUESTS


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_nearly_valid_bodies(client: httpx.Client) -> None:
    answers = Answers()

    @FUZZED
    @given(sent=st.one_of([st.tuples(st.just(path), nearly_valid(body)) for path, body in VALID.items()]))
    def send(sent: tuple[str, dict[str, Any]]) -> None:
        path, body = sent
        answers.check(post(client, path, limited(body)), body)

    send()
    print(f"nearly valid: {dict(answers)}")
    assert answers[httpx.codes.OK]
    assert answers[httpx.codes.BAD_REQUEST]


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_unusual_options(client: httpx.Client) -> None:
    answers = Answers()

    @FUZZED
    @given(body=unusual())
    def send(body: dict[str, Any]) -> None:
        answers.check(post(client, "/v1/chat/completions", limited(body)), body)

    send()
    print(f"unusual options: {dict(answers)}")
    assert answers[httpx.codes.OK]
    assert answers[httpx.codes.BAD_REQUEST]


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_bodies_of_any_bytes(client: httpx.Client) -> None:
    answers = Answers()
    texts = ANYTHING.map(lambda value: json.dumps(value).encode())

    @FUZZED
    @given(
        path=st.sampled_from(list(VALID)),
        content=st.one_of(st.binary(max_size=200), texts),
        header=st.binary(max_size=9),
    )
    def send(path: str, content: bytes, header: bytes) -> None:
        headers = {"content-type": "application/json"}
        if header.isascii() and header.decode().isprintable() and header.strip():
            headers["x-best-of-n"] = header.decode().strip()
        answers.check(client.post(path, content=content, headers=headers), content)

    send()
    print(f"any bytes: {dict(answers)}")
    assert answers[httpx.codes.BAD_REQUEST]


def post(
    client: httpx.Client, path: str, body: object, method: str = "POST", query: dict[str, Any] | None = None
) -> httpx.Response:
    """Sends a body with whatever numbers and texts it has."""
    content = b"" if body is None else json.dumps(body).encode()
    return client.request(method, path, content=content, params=query, headers={"content-type": "application/json"})
