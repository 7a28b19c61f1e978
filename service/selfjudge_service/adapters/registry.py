"""The versions that this process serves: loading, switching, leases.

A version is loaded into the engine and probed before any request can name it; then one assignment switches the
policy's name. A leased version stays loaded; a version that a switch has retired is unloaded after its last request.
Changes go one at a time, requests never wait for them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from typing_extensions import override
from vllm.lora.request import LoRARequest
from vllm.v1.engine.exceptions import EngineDeadError

from selfjudge.errors import AdapterError
from selfjudge_service import background
from selfjudge_service.adapters.adapter_engine import AdapterEngine
from selfjudge_service.adapters.copies import Copies
from selfjudge_service.adapters.record import Record, draw
from selfjudge_service.adapters.replicas import Answering
from selfjudge_service.observability import metrics
from selfjudge_service.protocol.errors import RefusedVersionError, UnknownModelError

_LOG = logging.getLogger(__name__)

background.FAILURES.labels("unload")  # so that the first failure is an increase


class Key(NamedTuple):
    """Names one version of one policy."""

    policy: str
    version: str

    @override
    def __str__(self) -> str:
        return f"{self.policy}@{self.version}"


class Staged(NamedTuple):
    """A version that may become active, and the one that is; None where nothing answers for the policy."""

    candidate: LoRARequest
    active: LoRARequest | None


@dataclass
class _Loaded:
    lora: LoRARequest
    in_flight: int = 0
    retired: bool = False


class Adapters:
    """What is loaded, what each policy's name stands for, and which requests use it.

    Args:
        source: brings validated versions.
        engine: loads them.
        names: what requests may name, filled by us; vLLM's own registry in the server.
        next_id: ids that nothing else in the engine has.
    """

    def __init__(
        self,
        source: Copies,
        engine: AdapterEngine,
        names: MutableMapping[str, LoRARequest],
        next_id: Callable[[], int],
    ) -> None:
        self.changing = asyncio.Lock()
        """Held by each change of what is served, from reading the record to adopting the new one."""
        self.refused: dict[Key, str] = {}
        self.at_gate: set[Key] = set()
        self._source = source
        self._engine = engine
        self._names = names
        self._next_id = next_id
        self._records: dict[str, Record] = {}
        self._loaded: dict[Key, _Loaded] = {}
        # The engine dies of one name with two ids: a version that is loaded again keeps its id.
        self._ids: dict[Key, int] = {}
        self._unloading: dict[Key, asyncio.Task[None]] = {}

    def record(self, policy: str) -> Record:
        """What this process serves of a policy."""
        return self._records.get(policy, Record())

    def policies(self) -> list[str]:
        """Policies that have a record."""
        return list(self._records)

    def answering(self) -> dict[str, Answering]:
        """What this process does with each policy."""
        return {policy: self._answering(policy, record) for policy, record in self._records.items()}

    def _answering(self, policy: str, record: Record) -> Answering:
        loaded = sorted(key.version for key in self._loaded if key.policy == policy)
        active = record.active if record.active in loaded else None
        return Answering(active=active, canaries=record.canaries, loaded=loaded)

    def is_loaded(self, key: Key) -> bool:
        """Whether requests can name a version."""
        return key in self._loaded

    def in_flight(self, key: Key) -> int:
        """Requests that lease a version."""
        return self._loaded[key].in_flight if key in self._loaded else 0

    def find(self, model: str, sticky: str | None = None) -> Key | None:
        """The version that a request for `model` gets; None where that is no policy of ours.

        Args:
            model: `policy` or `policy@version`.
            sticky: requests with the same get the same of active version and canaries; drawn at random if None.

        Raises:
            UnknownModelError: if the version isn't loaded, or nothing is active.
        """
        policy, at, version = model.partition("@")
        if policy not in self._records:
            return None
        if not at:
            version = draw(policy, self._records[policy], sticky, lambda one: Key(policy, one) in self._loaded)
        key = Key(policy, version)
        if key not in self._loaded:
            loaded = ", ".join(str(one) for one in self._loaded if one.policy == policy) or "none"
            raise UnknownModelError(f"model: no version that is loaded is called {model!r}; loaded: {loaded}", "model")
        return key

    @contextmanager
    def lease(self, key: Key) -> Iterator[None]:
        """Keeps a loaded version loaded until the block ends."""
        loaded = self._loaded[key]
        loaded.in_flight += 1
        try:
            yield
        finally:
            loaded.in_flight -= 1
            self._unload_if_done(key)

    @asynccontextmanager
    async def staged(self, key: Key) -> AsyncIterator[Staged]:
        """Loads a version without switching its policy's name, and keeps it loaded until the block ends.

        The version that answers for the policy is kept too. What is served may change meanwhile.

        Raises:
            RefusedVersionError: if it can't be served, saying why.
        """
        with ExitStack() as stack:
            async with self.changing:
                await self._ensure(key)
                stack.enter_context(self.lease(key))
                # While no record names it, only the lease keeps it.
                self._retire(key.policy, self.record(key.policy))
                answering = Key(key.policy, self.record(key.policy).active or "")
                active = self._loaded.get(answering)
                if active:
                    stack.enter_context(self.lease(answering))
            stack.callback(self.at_gate.discard, key)
            self.at_gate.add(key)
            yield Staged(self._loaded[key].lora, active.lora if active else None)

    async def adopt(self, policy: str, record: Record, needed: str | None) -> None:
        """Serves a record instead of the one before, or changes nothing.

        Args:
            policy: whose record it is.
            record: what to serve.
            needed: the version without which the record isn't adopted. Others that are refused are left out: a policy
                goes on without a canary, without a version to roll back to, and with the active version that it has.

        Raises:
            RefusedVersionError: if the needed version can't be served, saying why.
        """
        for version in record.wanted:
            try:
                await self._ensure(Key(policy, version))
            except RefusedVersionError:
                if version == needed:
                    self._retire(policy, self.record(policy))
                    raise
        former = self.record(policy).active
        if record.active and former and self._stands_in(policy, former, record.active):
            record = record.but(active=former)
        self._records[policy] = record
        if record.active is None:
            self._names.pop(policy, None)
        elif active := self._loaded.get(Key(policy, record.active)):
            self._names[policy] = active.lora
        if record.active != former:
            metrics.ADAPTER_SWAPS.labels(policy).inc()
            metrics.show_active(policy, former, record.active)
            _LOG.info("%s: %s is active, was %s", policy, record.active, former)
        self._retire(policy, record)

    def _stands_in(self, policy: str, former: str, active: str) -> bool:
        return Key(policy, active) not in self._loaded and Key(policy, former) in self._loaded

    async def move(
        self, engine: AdapterEngine, names: MutableMapping[str, LoRARequest], next_id: Callable[[], int]
    ) -> None:
        """Brings everything that requests can name, or still hold, into a fresh engine under its old name and id.

        A version that the engine refuses can't be named any more, as after a restart. Arguments as of the constructor.

        Raises:
            EngineDeadError: if the fresh engine dies of it.
        """
        former, self._engine = self._engine, engine
        names.update({name: lora for name, lora in self._names.items() if lora.lora_int_id in self._ids.values()})
        self._names, self._next_id = names, next_id
        former.abandon()
        async with self.changing:
            for key in list(self._loaded):
                await self._reload(key)

    @property
    def largest_id(self) -> int:
        """The largest id that a version was ever given; 0 if none was."""
        return max(self._ids.values(), default=0)

    def forget_refusal(self, key: Key) -> None:
        """Lets a refused version be tried again."""
        self.refused.pop(key, None)

    async def unloaded(self, key: Key) -> None:
        """Waits until a version that is being unloaded is gone."""
        if task := self._unloading.get(key):
            await asyncio.wait([task])

    async def _ensure(self, key: Key) -> None:
        if loaded := self._loaded.get(key):
            loaded.retired = False
            return
        if key in self.refused:
            raise RefusedVersionError(f"{key} was refused: {self.refused[key]}")
        await self.unloaded(key)
        try:
            folder = await asyncio.to_thread(self._source.bring, *key)
            if key not in self._ids:
                self._ids[key] = self._next_id()
            lora = LoRARequest(str(key), self._ids[key], str(folder))
            await self._load(lora)
        except (AdapterError, OSError) as error:
            self._refuse(key, error)
            raise RefusedVersionError(f"{key} is refused: {self.refused[key]}") from error
        metrics.ADAPTER_LOADS.labels("ok").inc()
        self._loaded[key] = _Loaded(lora)
        self._names[str(key)] = lora

    def _refuse(self, key: Key, error: AdapterError | OSError) -> None:
        self._source.discard(*key)
        reason = error.reason if isinstance(error, AdapterError) else "files"
        self.refused[key] = f"{reason}: {error}"
        metrics.ADAPTER_LOADS.labels(reason).inc()
        _LOG.warning("%s is refused: %s", key, self.refused[key])

    async def _reload(self, key: Key) -> None:
        loaded = self._loaded.get(key)
        if loaded is None:  # retired and done meanwhile
            return
        try:
            await asyncio.to_thread(self._source.bring, *key)
            await self._engine.load(loaded.lora)
        except (AdapterError, OSError) as error:
            self._refuse(key, error)
            self._loaded.pop(key, None)
            for name in [name for name, lora in self._names.items() if lora.lora_name == str(key)]:
                del self._names[name]

    async def _load(self, lora: LoRARequest) -> None:
        try:
            await self._engine.load(lora)
            await self._engine.probe(lora)
        except BaseException:
            await self._engine.unload(lora)
            raise

    def _retire(self, policy: str, record: Record) -> None:
        for key in [one for one in self._loaded if one.policy == policy]:
            self._loaded[key].retired = key.version not in record.wanted
            self._unload_if_done(key)

    def _unload_if_done(self, key: Key) -> None:
        loaded = self._loaded.get(key)
        if loaded is None or not loaded.retired or loaded.in_flight:
            return
        del self._loaded[key]
        self._names.pop(str(key), None)
        task = asyncio.get_running_loop().create_task(self._unload(key, loaded.lora))
        self._unloading[key] = task
        task.add_done_callback(lambda _: self._unloading.pop(key, None))

    async def _unload(self, key: Key, lora: LoRARequest) -> None:
        try:
            with suppress(EngineDeadError):  # which holds nothing any more
                await self._engine.unload(lora)
            await asyncio.to_thread(self._source.discard, *key)
        except Exception:  # noqa: BLE001  no request waits for it; the files stay, as the engine may still read them
            background.failed("unload")
