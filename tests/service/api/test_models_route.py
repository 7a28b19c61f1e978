"""The list of models, and one of them, over a list as vLLM makes it."""

import httpx
import pytest
from vllm.entrypoints.serve.engine.protocol import ModelCard, ModelList

from tests.service.fakes import ADAPTER, MODEL, make_world


class Listed:
    """vLLM's registry of models: it knows a policy by its version's name alone."""

    async def show_available_models(self) -> ModelList:
        return ModelList(data=[ModelCard(id=name, root=f"models/{name}") for name in (MODEL, ADAPTER.lora_name)])


async def get(path: str, monkeypatch: pytest.MonkeyPatch) -> httpx.Response:
    world = make_world()
    world.state.models.lora_requests["policy"] = ADAPTER
    monkeypatch.setattr(world.app().state, "openai_serving_models", Listed(), raising=False)
    async with world.client() as client:
        return await client.get(path)


async def test_a_policy_is_listed_by_its_own_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = (await get("/v1/models", monkeypatch)).json()["data"]
    assert {card["id"]: card["root"] for card in cards} == {
        MODEL: f"models/{MODEL}",
        ADAPTER.lora_name: f"models/{ADAPTER.lora_name}",
        "policy": ADAPTER.lora_name,
    }


@pytest.mark.parametrize("name", [MODEL, ADAPTER.lora_name, "policy"])
async def test_one_model_can_be_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await get(f"/v1/models/{name}", monkeypatch)
    assert (answer.status_code, answer.json()["id"], answer.json()["object"]) == (200, name, "model")


async def test_a_model_that_is_not_served_is_told_in_openais_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await get("/v1/models/org/other", monkeypatch)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (404, 404, "model")
    assert MODEL in error["message"]
