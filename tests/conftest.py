"""What holds for every test."""

import logging

import pytest
from hypothesis import settings
from selfjudge_service.engine.engine_process import collect_garbage_again

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
