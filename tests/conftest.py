"""What holds for every test."""

import logging

import pytest
from hypothesis import settings
from selfjudge_service.engine.engine_process import collect_garbage_again
from typing_extensions import override
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

# A busy machine is slow, not wrong.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture(autouse=True, scope="session")
def _garbage_is_collected() -> None:
    """Test modules import the launcher, which puts collecting off until vLLM calls our plugin."""
    collect_garbage_again()


@pytest.fixture(autouse=True)
def _warnings_are_logged() -> None:
    """A package that vLLM's routes import raises the root logger to ERROR, for all tests after it."""
    logging.getLogger().setLevel(logging.WARNING)


# Rooms whose files share one server.
SHARING = ("tests/end_to_end/api", "tests/end_to_end/learning", "tests/end_to_end/operated")

# What takes long comes first, so that no worker is left with it when the others have ended.
FIRST = ("tests/end_to_end/", "tests/experiments/", "tests/loadtests/benchmark/", "tests/training/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


class ByServer(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives pytest-xdist's workers whole files, and whole rooms where these share a server."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return next((room for room in SHARING if file.startswith(room)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByServer:
    return ByServer(config, log)
