"""GET /v1/models, and /v1/models/{id}, which vLLM lacks: OpenAI's clients ask there whether a model is served.

The list is vLLM's; a policy stands in it by its name too, `root` being the version that it stands for.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from vllm.entrypoints.serve.engine.protocol import ModelCard, ModelList

from selfjudge_service.protocol.errors import UnknownModelError
from selfjudge_service.state import state_of

router = APIRouter()


@router.get("/v1/models")
@router.get("/v1/models/", include_in_schema=False)
async def models(request: Request) -> Response:
    """What `model` may be in requests."""
    listed, cards = await _cards(request)
    return JSONResponse(listed.model_copy(update={"data": list(cards.values())}).model_dump())


@router.get("/v1/models/{model:path}")
async def model(model: str, request: Request) -> Response:
    """One of them."""
    _, cards = await _cards(request)
    if model not in cards:
        raise UnknownModelError(f"model: must be one of {', '.join(cards)}, got {model!r}", "model")
    return JSONResponse(cards[model].model_dump())


async def _cards(request: Request) -> tuple[ModelList, dict[str, ModelCard]]:
    listed: ModelList = await request.app.state.openai_serving_models.show_available_models()
    cards = {card.id: card for card in listed.data}
    for name, lora in state_of(request).models.lora_requests.items():
        card = cards[lora.lora_name]
        if name != lora.lora_name:
            cards[name] = card.model_copy(update={"id": name, "root": lora.lora_name})
    return listed, cards
