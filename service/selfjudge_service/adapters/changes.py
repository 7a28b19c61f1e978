"""Everything that changes what a policy serves: activation, rollback, canaries, deletion, and following the store.

A change is adopted here first, then written to the store; so a record names only versions that some replica serves.
Where there is a gate, a version that is neither active nor the one before passes it first. That may take minutes, so
the record is read again afterwards.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container
from contextlib import suppress
from typing import TypeVar

from vllm.exceptions import VLLMError

from selfjudge.adapters.store import Store
from selfjudge.errors import AdapterError
from selfjudge_service.adapters.gate import Gate, GateResults, tell_result
from selfjudge_service.adapters.record import Record, RecordError, Records
from selfjudge_service.adapters.registry import Adapters, Key
from selfjudge_service.protocol.errors import (
    ApiError,
    ConflictError,
    InvalidFieldError,
    NotFoundError,
    RefusedVersionError,
)

_LOG = logging.getLogger(__name__)
_EXPECTED = (ApiError, AdapterError, OSError, VLLMError)
_Result = TypeVar("_Result")


class Changes:
    """Changes what is served, and keeps up with what other replicas change.

    Args:
        store: where versions are published.
        records: what each policy serves, shared with other replicas.
        adapters: what this process serves.
        taken: names that no policy can have here, because they are the base model's.
        gate: what a version passes before it becomes active, if anything.
    """

    def __init__(
        self, store: Store, records: Records, adapters: Adapters, taken: Container[str], gate: Gate | None = None
    ) -> None:
        self._store = store
        self._records = records
        self._adapters = adapters
        self._taken = taken
        self._gate = gate
        self._results = GateResults(store.root)
        self._refused: dict[str, Record] = {}
        self._told: dict[str, str] = {}

    async def activate(self, policy: str, version: str) -> Record:
        """Makes the policy's name stand for a version.

        Raises:
            NotFoundError: if the store has no such version.
            RefusedVersionError: if it can't be served, or doesn't pass the gate; the one before goes on serving.
            ConflictError: if the store can't be read or written, or another version became active meanwhile.
        """
        return await self._activate(policy, version, watched=False)

    async def _activate(self, policy: str, version: str, *, watched: bool) -> Record:
        async with self._adapters.changing:
            await self._check_known(policy, version)
            self._check_free(policy)
            record = await self._read(policy)
            if watched and record.considered == version:
                return record
            if self._gate is None or version in (record.active, record.previous):
                return await self._change(policy, _activated(record, version, watched=watched), version)
            with suppress(RefusedVersionError):  # told by the registry; the version that answers here is met instead
                await self._catch_up(policy, record)
            self._adapters.forget_refusal(Key(policy, version))
        return await self._promote(policy, version, record, self._gate, watched=watched)

    async def _promote(self, policy: str, version: str, former: Record, gate: Gate, *, watched: bool) -> Record:
        key = Key(policy, version)
        async with self._adapters.staged(key) as staged:
            result = await gate.hold(*staged)
            await asyncio.to_thread(self._results.write, policy, version, result)
            tell_result(key, result)
            if not result.passed:
                raise RefusedVersionError(f"{key} is refused: gate: {'; '.join(result.missed)}")
            async with self._adapters.changing:
                record = await self._read(policy)
                if record.active == version or (watched and record.considered == version):
                    return record
                if record.active != former.active:
                    raise ConflictError(f"{key} passed the gate, but {policy}@{record.active} became active meanwhile")
                return await self._change(policy, _activated(record, version, watched=watched), version)

    async def rollback(self, policy: str) -> Record:
        """Makes the policy's name stand for the version before; twice in a row changes nothing.

        Raises:
            ConflictError: if there was none.
            RefusedVersionError: if it can't be served any more.
        """
        async with self._adapters.changing:
            record = await self._read(policy)
            if record.previous is None:
                raise ConflictError(f"{policy} has no version before the active one to roll back to")
            return await self._change(policy, record.activated(record.previous), record.previous)

    async def set_canary(self, policy: str, version: str, weight: float | None) -> Record:
        """Gives a version a share of the policy's requests, or with None takes its share away.

        Raises:
            ApiError: as `activate`; also if it is the active version, or all shares would be more than 1.
        """
        async with self._adapters.changing:
            await self._check_known(policy, version)
            record = await self._read(policy)
            if version == record.active:
                raise ConflictError(f"{policy}@{version} is active: what canaries leave is its share already")
            canaries = {name: share for name, share in record.canaries.items() if name != version}
            if weight is None:
                return await self._change(policy, record.but(canaries=canaries), None)
            if record.active is None:
                raise ConflictError(f"{policy} has no active version yet to be a canary beside")
            if (total := sum(canaries.values()) + weight) > 1:
                raise InvalidFieldError("weight", "must leave the sum of all canaries' at 1 at most", total)
            return await self._change(policy, record.but(canaries={**canaries, version: weight}), version)

    async def delete(self, policy: str, version: str) -> None:
        """Deletes a version from the store.

        Raises:
            NotFoundError: if the store has no such version.
            ConflictError: while it is active, a canary, or in use by a request.
        """
        async with self._adapters.changing:
            await self._check_known(policy, version)
            record, key = await self._read(policy), Key(policy, version)
            if version in (record.active, self._adapters.record(policy).active):
                raise ConflictError(f"{key} is active: activate another version first")
            if version in record.canaries:
                raise ConflictError(f"{key} is a canary: take its share away first")
            if in_flight := self._adapters.in_flight(key):
                raise ConflictError(f"{key} still answers {in_flight} requests: try again when they are done")
            if version == record.previous:
                await self._change(policy, record.but(previous=None), None)
            await self._adapters.unloaded(key)
            await self._in_store(lambda: self._store.remove(policy, version))
            self._adapters.forget_refusal(key)
            self._results.forget(policy, version)

    async def follow(self) -> bool:
        """Adopts what other replicas have recorded; logs what fails, and returns whether nothing did."""
        return await self._for_each_policy("following", self._follow_one)

    async def watch(self) -> bool:
        """Activates each policy's newest version once; returns as `follow`."""
        return await self._for_each_policy("watching", self._watch_one)

    async def _for_each_policy(self, what: str, work: Callable[[str], Awaitable[None]]) -> bool:
        """Logs each failure once; a policy that fails stays as it was, and the others go on."""
        well = True
        for policy in await asyncio.to_thread(self._store.policies):
            task = f"{what} {policy}"
            try:
                await work(policy)
            except RefusedVersionError:
                continue  # told when it was refused
            except Exception as error:  # noqa: BLE001  of files, engine and anything else; the next round may succeed
                well = False
                if self._told.get(task) != repr(error):
                    _LOG.warning("%s: %s", task, error, exc_info=not isinstance(error, _EXPECTED))
                self._told[task] = repr(error)
            else:
                self._told.pop(task, None)
        return well

    async def _follow_one(self, policy: str) -> None:
        async with self._adapters.changing:
            await self._catch_up(policy, await self._read(policy))

    async def _catch_up(self, policy: str, record: Record) -> None:
        if record in (self._adapters.record(policy), self._refused.get(policy)):
            return
        try:
            self._check_free(policy)
            await self._adapters.adopt(policy, record, record.active)
        except RefusedVersionError:
            self._refused[policy] = record
            raise

    async def _watch_one(self, policy: str) -> None:
        versions = await asyncio.to_thread(self._store.versions, policy)
        if not versions:
            return
        newest = versions[-1].version
        try:
            await self._activate(policy, newest, watched=True)
        except RefusedVersionError:
            async with self._adapters.changing:
                record = await self._read(policy)
                await self._change(policy, record.but(considered=newest), None)
            raise

    async def _change(self, policy: str, record: Record, needed: str | None) -> Record:
        self._check_free(policy)
        former = self._adapters.record(policy)
        if needed is not None:
            self._adapters.forget_refusal(Key(policy, needed))
        await self._adapters.adopt(policy, record, needed)
        try:
            await asyncio.to_thread(self._records.write, policy, record)
        except RecordError as error:
            await self._adapters.adopt(policy, former, None)
            raise ConflictError(str(error)) from error
        return record

    async def _read(self, policy: str) -> Record:
        try:
            return await asyncio.to_thread(self._records.read, policy)
        except RecordError as error:
            raise ConflictError(str(error)) from error

    async def _check_known(self, policy: str, version: str) -> None:
        await self._in_store(lambda: self._store.folder(policy, version))

    def _check_free(self, policy: str) -> None:
        if policy in self._taken:
            raise ConflictError(f"a policy can't be called {policy!r} here: that is the served model's own name")

    async def _in_store(self, work: Callable[[], _Result]) -> _Result:
        try:
            return await asyncio.to_thread(work)
        except AdapterError as error:
            if error.reason == "unknown":
                raise NotFoundError(str(error)) from error
            raise RefusedVersionError(str(error)) from error
        except OSError as error:
            raise ConflictError(f"the store can't be used: {error}") from error


def _activated(record: Record, version: str, *, watched: bool) -> Record:
    activated = record.activated(version)
    return activated.but(considered=version) if watched else activated
