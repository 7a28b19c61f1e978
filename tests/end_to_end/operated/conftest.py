"""One server with all that an operator may want of it, for all tests of this room."""

import threading
from collections.abc import Iterator

import pytest

from selfjudge.adapters.store import Store
from tests.end_to_end.adapted import ENVIRONMENT, Adapted
from tests.end_to_end.operated.observers import Collector, Observed, scraping
from tests.end_to_end.serving import serving
from tests.service.adapters.files import publish

MAX_FAILURES = 5


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("adapters") / "store")


@pytest.fixture(scope="package")
def versions(store: Store) -> tuple[str, str]:
    first, second = (publish(store, "chat", seed, scale=0.3).version for seed in (1, 2))
    return first, second


@pytest.fixture(scope="package")
def observed(store: Store, versions: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("operated")
    collector = Collector()
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    flags = {
        "adapters-dir": store.root,
        "log-format": "json",
        "otlp-endpoint": collector.url,
        "bracket-log": folder / "brackets",
        "max-engine-failures": MAX_FAILURES,
        "watchdog-seconds": 5,
    }
    arguments = [str(part) for name, value in flags.items() for part in (f"--{name}", value)]
    environment = {**ENVIRONMENT, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with (
        serving(folder / "log", *arguments, key="user", environment=environment) as server,
        scraping(server, folder) as prometheus,
    ):
        yield Observed(server, collector, prometheus)
    collector.shutdown()
    collector.server_close()


@pytest.fixture(scope="package")
def adapted(observed: Observed, store: Store, versions: tuple[str, str]) -> Adapted:
    """Its store has two versions of one policy."""
    return Adapted(observed.server, store, versions)


@pytest.fixture
def first_is_active(adapted: Adapted) -> Adapted:
    for version in reversed(adapted.versions):
        adapted.change("chat/activate", version=version).raise_for_status()
    return adapted
