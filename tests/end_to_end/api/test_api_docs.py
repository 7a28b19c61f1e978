"""Every request that docs/api.md shows is answered, and its example of an error is a real one."""

import json
import re
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.serving import Server

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()
REQUESTS = re.findall(r"^curl http://127\.0\.0\.1:8000(\S+) .*? -d '(.*?)'$", DOCUMENT, re.MULTILINE | re.DOTALL)


def test_the_document_shows_a_request_for_each_route_of_ours() -> None:
    assert [path for path, _ in REQUESTS] == ["/v1/chat/completions", "/judge", "/v1/rank"]


@pytest.mark.parametrize(("path", "body"), REQUESTS)
def test_a_shown_request_is_answered(server: Server, path: str, body: str) -> None:
    with server.http() as client:
        answer = client.post(path, json=json.loads(body))
    assert answer.status_code == httpx.codes.OK, answer.text


def test_the_shown_error_is_the_real_one(server: Server) -> None:
    [shown] = re.findall(r"^```json\n(\{\"error\".*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    with server.http() as client:
        answer = client.post("/v1/chat/completions", json=json.loads(REQUESTS[0][1]) | {"best_of_n": 65})
    assert answer.json() == json.loads(shown)
