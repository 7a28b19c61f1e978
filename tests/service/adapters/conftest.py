"""A store, and adapters over fakes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from selfjudge.adapters.store import Store
from tests.service.adapters.fakes import Replica, make_replica

MakeReplica = Callable[[], Replica]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def replica(store: Store) -> Replica:
    return make_replica(store)
