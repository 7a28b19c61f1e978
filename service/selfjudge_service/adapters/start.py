"""Puts adapters together for vLLM's server, serves what the store's records say, and does so on a new engine too."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from vllm.engine.protocol import EngineClient
from vllm.entrypoints.openai.models.serving import OpenAIServingModels

from selfjudge.adapters.base import read_base
from selfjudge.adapters.store import Store
from selfjudge.errors import AdapterError
from selfjudge_service.adapters.adapter_engine import AdapterEngine
from selfjudge_service.adapters.changes import Changes
from selfjudge_service.adapters.copies import Copies
from selfjudge_service.adapters.criteria import read_criteria
from selfjudge_service.adapters.gate import Gate
from selfjudge_service.adapters.record import Records
from selfjudge_service.adapters.registry import Adapters
from selfjudge_service.adapters.replicas import Replicas
from selfjudge_service.background import Background
from selfjudge_service.best_of_n.judging.judge import Judge
from selfjudge_service.best_of_n.sampler import Sampler
from selfjudge_service.settings import Settings


class Adapting(NamedTuple):
    """What the routes need of adapters."""

    store: Store
    adapters: Adapters
    changes: Changes
    replicas: Replicas


async def start_adapters(
    root: Path,
    settings: Settings,
    engine: EngineClient,
    models: OpenAIServingModels,
    judge: Judge,
    sampler: Sampler,
    background: Background,
) -> Adapting:
    """Loads what the store's records name, and follows the store in the background.

    With `adapters_watch` newest versions are activated too, unless they pass a gate first: that is not waited for.

    Raises:
        GateError: if the gate can't be held as it is set.
        AdapterError: if the engine was started without LoRA, or the served model isn't a folder of safetensors files.
    """
    lora = engine.vllm_config.lora_config
    if lora is None:
        raise AdapterError("rank", "the engine was started without --enable-lora, so adapters_dir can't be served")
    base = await asyncio.to_thread(read_base, Path(engine.model_config.model))
    store = Store(root)
    adapters = Adapters(
        Copies(store, base, lora.max_lora_rank),
        AdapterEngine(engine, judge),
        models.lora_requests,
        lambda: models.lora_id_counter.inc(1),
    )
    taken = {path.name for path in models.base_model_paths} | set(models.lora_requests)
    gate = await _gate(settings, judge, sampler)
    changes = Changes(store, Records(store.root), adapters, taken, gate)
    await changes.follow()
    replicas, seconds = Replicas(store.root), settings.adapters_poll_seconds

    async def follow() -> bool:
        followed = await changes.follow()
        told = await asyncio.to_thread(replicas.leave, adapters.answering())
        return followed and told

    background.every(seconds, "follow", follow)
    if settings.adapters_watch:
        if gate is None:
            await changes.watch()
        # Apart from following, so that no gate delays it.
        background.every(seconds, "watch", changes.watch)
    return Adapting(store, adapters, changes, replicas)


async def _gate(settings: Settings, judge: Judge, sampler: Sampler) -> Gate | None:
    criteria = await asyncio.to_thread(read_criteria, settings)
    if criteria is None:
        return None
    gate = Gate(criteria, judge, sampler)
    await gate.check()
    return gate


async def restore(adapting: Adapting, engine: EngineClient, models: OpenAIServingModels, judge: Judge) -> None:
    """Brings all versions that requests can name into a fresh engine, in place of the dead one, and names them there.

    Active versions, those before them, canaries, and versions that a request still holds keep their names and ids, so
    requests that were resolved before the engine died go on with the same weights. They are not probed again, so this
    takes milliseconds for each. Call it once for each fresh engine, before requests are let in; changes of what is
    served that hang in the dead engine are ended first. `adapting` goes on being the one in the application's state,
    and goes on following the store.

    Args:
        adapting: what `start_adapters` returned for the first engine.
        engine: the fresh one, started with the same options.
        models: vLLM's registry of models over it, new or the one before.
        judge: over it, for probes of later versions.

    Raises:
        EngineDeadError: if the fresh engine dies meanwhile. A version that it refuses is no error: requests for it are
            answered 404, and `GET /v1/adapters` and the log tell why.
    """
    counter = models.lora_id_counter
    counter.inc(max(adapting.adapters.largest_id - counter.value, 0))
    await adapting.adapters.move(AdapterEngine(engine, judge), models.lora_requests, lambda: counter.inc(1))
