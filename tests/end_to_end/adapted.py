"""Servers that have a store of adapters, and what their operator does to them."""

from typing import Any, NamedTuple

import httpx

from selfjudge.adapters.store import Store
from tests.end_to_end.serving import Server

ADMIN = {"Authorization": "Bearer admin"}
ENVIRONMENT = {"SELFJUDGE_ADMIN_KEYS": "admin", "SELFJUDGE_ADAPTERS_POLL_SECONDS": "0.5"}
BODY: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Sort these letters: QDBA"}],
    "temperature": 0,
    "max_tokens": 16,
}


class Adapted(NamedTuple):
    """A server on a store with two versions of one policy."""

    server: Server
    store: Store
    versions: tuple[str, str]

    def change(self, path: str, **body: Any) -> httpx.Response:  # noqa: ANN401  any JSON
        return httpx.post(f"{self.server.url}/v1/adapters/{path}", json=body, headers=ADMIN, timeout=60)

    def chat(self, model: str, **more: Any) -> httpx.Response:  # noqa: ANN401  any JSON
        with self.server.http() as client:
            return client.post("/v1/chat/completions", json={**BODY, "model": model, **more})

    def active_everywhere(self) -> list[str]:
        """What answers for the policy on each replica, as this one tells it."""
        notes = httpx.get(f"{self.server.url}/v1/adapters", headers=ADMIN).json()["replicas"]
        return [note["policies"]["chat"]["active"] for note in notes]

    def text(self, model: str, **more: Any) -> str:  # noqa: ANN401  any JSON
        answer = self.chat(model, **more)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["choices"][0]["message"]["content"])
