"""Adapters over HTTP: who may change them, and how requests name versions and hold them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from selfjudge_service.adapters.registry import Key
from selfjudge_service.adapters.replicas import Answering, Replicas
from selfjudge_service.adapters.start import Adapting

from selfjudge.adapters.store import Store
from tests.service.adapters.fakes import Replica, make_replica
from tests.service.adapters.files import publish
from tests.service.clients import hang_up
from tests.service.fakes import QUESTION, ScriptedChat, World, make_world, settle

ADMIN = {"Authorization": "Bearer admin"}
CHAT: dict[str, Any] = {"messages": QUESTION, "model": "chat"}


class Adapted(NamedTuple):
    """A world with one replica's adapters, and two versions in the store."""

    world: World
    replica: Replica
    versions: list[str]


@pytest.fixture
def adapted(tmp_path: Path) -> Adapted:
    return make_adapted(tmp_path)


def make_adapted(folder: Path, chat: ScriptedChat | None = None, admin_keys: str = "admin,other") -> Adapted:
    replica = make_replica(Store(folder / "store"))
    versions = [publish(replica.store, "chat", seed).version for seed in (1, 2)]
    world = make_world(chat, admin_keys=admin_keys)
    adapting = Adapting(replica.store, replica.adapters, replica.changes, Replicas(replica.store.root, "a replica"))
    return Adapted(world._replace(state=world.state._replace(adapting=adapting)), replica, versions)


@pytest.fixture
async def client(adapted: Adapted) -> AsyncIterator[httpx.AsyncClient]:
    async with adapted.world.client() as client:
        client.headers.update(ADMIN)
        yield client


@pytest.mark.parametrize("key", [None, "wrong", ""])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("POST", "/chat/activate"),
        ("POST", "/chat/rollback"),
        ("POST", "/chat/canary"),
        ("DELETE", "/chat/0123456789abcdef"),
    ],
)
async def test_each_route_wants_an_admin_key(adapted: Adapted, method: str, path: str, key: str | None) -> None:
    async with adapted.world.client() as client:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        answer = await client.request(method, f"/v1/adapters{path}", headers=headers)
    assert answer.status_code == 401


async def test_without_admin_keys_the_routes_are_closed(tmp_path: Path) -> None:
    async with make_adapted(tmp_path, admin_keys="").world.client() as client:
        answer = await client.get("/v1/adapters", headers={"Authorization": "Bearer "})
    assert answer.status_code == 403
    assert "SELFJUDGE_ADMIN_KEYS" in answer.json()["error"]["message"]


async def test_without_a_store_there_is_nothing_to_administer() -> None:
    async with make_world(admin_keys="admin").client() as client:
        answer = await client.get("/v1/adapters", headers=ADMIN)
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "NotFoundError")


async def test_a_version_is_activated_rolled_back_and_deleted(client: httpx.AsyncClient, adapted: Adapted) -> None:
    first, second = adapted.versions
    for version in adapted.versions:
        answer = await client.post("/v1/adapters/chat/activate", json={"version": version})
        assert answer.json()["active"] == version
    assert (await client.post("/v1/adapters/chat/rollback")).json()["active"] == first
    assert (await client.delete(f"/v1/adapters/chat/{second}")).status_code == 204
    assert (await client.delete(f"/v1/adapters/chat/{first}")).status_code == 409
    listed = (await client.get("/v1/adapters")).json()["data"]
    assert [policy["policy"] for policy in listed] == ["chat"]
    (one,) = listed[0]["versions"]
    assert (one["version"], one["state"], one["in_flight"], one["model"]) == (first, "active", 0, f"chat@{first}")


async def test_all_replicas_on_the_store_are_listed(client: httpx.AsyncClient, adapted: Adapted) -> None:
    first = adapted.versions[0]
    await client.post("/v1/adapters/chat/activate", json={"version": first})
    other = {"chat": Answering(active=None, canaries={}, loaded=[])}
    Replicas(adapted.replica.store.root, "other").leave(other)
    answer = (await client.get("/v1/adapters")).json()
    active = {note["replica"]: note["policies"]["chat"]["active"] for note in answer["replicas"]}
    assert (answer["replica"], active) == ("a replica", {"a replica": first, "other": None})


async def test_what_is_wrong_is_told(client: httpx.AsyncClient, adapted: Adapted) -> None:
    assert (await client.post("/v1/adapters/chat/activate", json={"version": "0" * 16})).status_code == 404
    assert (await client.post("/v1/adapters/chat/activate", json={"version": "../.."})).status_code == 422
    assert (await client.post("/v1/adapters/chat/rollback")).status_code == 409
    assert (await client.post("/v1/adapters/chat/activate", json={})).json()["error"]["param"] == "version"
    canary = {"version": adapted.versions[0], "weight": 2}
    assert (await client.post("/v1/adapters/chat/canary", json=canary)).json()["error"]["param"] == "weight"


@pytest.mark.parametrize("policy", ["a%00b", "%00", "chat%0A", "A", "%2e%2e", "x" * 300])
@pytest.mark.parametrize("change", ["activate", "rollback", "canary", "delete"])
async def test_what_is_no_name_of_a_policy_is_refused_before_it_is_a_path(
    client: httpx.AsyncClient, adapted: Adapted, policy: str, change: str
) -> None:
    version = adapted.versions[0]
    if change == "delete":
        answer = await client.delete(f"/v1/adapters/{policy}/{version}")
    else:
        body = {"version": version} | ({"weight": 0.5} if change == "canary" else {})
        answer = await client.post(f"/v1/adapters/{policy}/{change}", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "policy")


async def test_refused_versions_are_listed_with_the_reason(client: httpx.AsyncClient, adapted: Adapted) -> None:
    first = adapted.versions[0]
    adapted.replica.engine.unfit.add(f"chat@{first}")
    answer = await client.post("/v1/adapters/chat/activate", json={"version": first})
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "RefusedVersion")
    one = (await client.get("/v1/adapters")).json()["data"][0]["versions"][0]
    assert (one["state"], one["refused"].partition(":")[0]) == ("refused", "probe")


async def test_a_request_becomes_one_versions_and_its_answer_says_so(adapted: Adapted) -> None:
    first = adapted.versions[0]
    await adapted.replica.changes.activate("chat", first)
    async with adapted.world.client() as client:
        answer = await client.post("/v1/chat/completions", json=CHAT)
    assert answer.headers["x-selfjudge-version"] == f"chat@{first}"
    assert [request.model for request in adapted.world.chat.requests] == [f"chat@{first}"]


async def test_the_base_is_named_too(adapted: Adapted) -> None:
    async with adapted.world.client() as client:
        answer = await client.post("/v1/chat/completions", json={"messages": QUESTION})
    assert answer.headers["x-selfjudge-version"] == "tiny"


async def test_who_is_sticky_stays_with_a_canary(adapted: Adapted) -> None:
    first, second = adapted.versions
    await adapted.replica.changes.activate("chat", first)
    await adapted.replica.changes.set_canary("chat", second, 0.5)
    async with adapted.world.client() as client:
        for number in range(8):
            by_user = [await client.post("/v1/chat/completions", json=CHAT | {"user": f"{number}"}) for _ in range(3)]
            by_header = await client.post(
                "/v1/chat/completions", json=CHAT, headers={"X-Selfjudge-Sticky": f"{number}"}
            )
            versions = {answer.headers["x-selfjudge-version"] for answer in [*by_user, by_header]}
            assert versions == {str(adapted.replica.adapters.find("chat", f"{number}"))}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_holds_its_version_until_it_is_answered(tmp_path: Path, stream: bool) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: int) -> None:
        asked.set()
        await go_on.wait()

    adapted = make_adapted(tmp_path, ScriptedChat(before=wait))
    key = Key("chat", adapted.versions[0])
    await adapted.replica.changes.activate(*key)
    async with adapted.world.client() as client:
        asking = asyncio.create_task(client.post("/v1/chat/completions", json=CHAT | {"stream": stream}))
        await asked.wait()
        assert adapted.replica.adapters.in_flight(key) == 1
        go_on.set()
        assert (await asking).status_code == 200
    assert adapted.replica.adapters.in_flight(key) == 0


async def test_who_hangs_up_lets_go_of_the_version(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def hang(_: int) -> None:
        asked.set()
        await asyncio.Event().wait()

    adapted = make_adapted(tmp_path, ScriptedChat(before=hang))
    key = Key("chat", adapted.versions[0])
    await adapted.replica.changes.activate(*key)
    body = b'{"model": "chat", "messages": [{"role": "user", "content": "?"}]}'
    await hang_up(adapted.world.app(), "/v1/chat/completions", body, asked.wait())
    await settle()
    assert adapted.replica.adapters.in_flight(key) == 0
