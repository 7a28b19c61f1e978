"""A replica without an engine: real store, real copies, real records, and an engine that only remembers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from selfjudge_service.adapters.adapter_engine import AdapterEngine
from selfjudge_service.adapters.changes import Changes
from selfjudge_service.adapters.copies import Copies
from selfjudge_service.adapters.gate import Gate
from selfjudge_service.adapters.record import Records
from selfjudge_service.adapters.registry import Adapters
from typing_extensions import override
from vllm.lora.request import LoRARequest
from vllm.v1.engine.exceptions import EngineDeadError

from selfjudge.adapters.store import Store
from selfjudge.errors import AdapterError
from tests.service.adapters.files import BASE, RANK

BASE_NAME = "tiny"


@dataclass
class RememberingEngine(AdapterEngine):
    """Has no engine: loads anything that is there, and refuses what it is told to."""

    loaded: dict[int, LoRARequest] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    unloadable: set[str] = field(default_factory=set)
    """Names of versions that can't be loaded."""
    unfit: set[str] = field(default_factory=set)
    """Names of versions that fail the probe."""
    hangs: bool = False
    """Whether loading never ends, until the engine is abandoned."""
    before_probe: Callable[[], Awaitable[None]] | None = None
    abandoned: asyncio.Event = field(default_factory=asyncio.Event)

    @override
    async def load(self, lora: LoRARequest) -> None:
        if self.hangs:
            await self.abandoned.wait()
        self._require_alive()
        assert lora.lora_int_id not in self.loaded
        self.history.append(f"load {lora.lora_name}")
        # Like vLLM, which may keep a part of what it fails to load.
        self.loaded[lora.lora_int_id] = lora
        if lora.lora_name in self.unloadable:
            raise AdapterError("engine", "the engine can't load it: too big")

    @override
    async def probe(self, lora: LoRARequest) -> None:
        self.history.append(f"probe {lora.lora_name}")
        if self.before_probe:
            await self.before_probe()
        if lora.lora_name in self.unfit:
            raise AdapterError("probe", "the probe generation has a log-probability of nan")

    @override
    async def unload(self, lora: LoRARequest) -> None:
        self._require_alive()
        self.loaded.pop(lora.lora_int_id, None)

    @override
    def abandon(self) -> None:
        self.abandoned.set()

    def _require_alive(self) -> None:
        if self.abandoned.is_set():
            raise EngineDeadError

    @property
    def names(self) -> set[str]:
        """Names of what is loaded."""
        return {lora.lora_name for lora in self.loaded.values()}


class Replica(NamedTuple):
    """One server's adapters."""

    store: Store
    engine: RememberingEngine
    names: dict[str, LoRARequest]
    adapters: Adapters
    changes: Changes

    def active(self, policy: str) -> str | None:
        """What a policy's name stands for in requests."""
        lora = self.names.get(policy)
        return None if lora is None else lora.lora_name.partition("@")[2]


def make_replica(store: Store, engine: RememberingEngine | None = None, gate: Gate | None = None) -> Replica:
    """A replica that serves nothing yet."""
    engine, names, ids = engine or RememberingEngine(), dict[str, LoRARequest](), count(1)
    adapters = Adapters(Copies(store, BASE, RANK), engine, names, lambda: next(ids))
    return Replica(store, engine, names, adapters, Changes(store, Records(store.root), adapters, {BASE_NAME}, gate))
