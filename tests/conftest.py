"""What holds for every test."""

import os

import pytest
from hypothesis import settings

from service.early import imports_are_done

# A busy machine is slow, not wrong.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

# vLLM's routes import a package that sets the root logger's level, ERROR unless told: caplog would miss warnings.
os.environ.setdefault("SAGEMAKER_CONTAINER_LOG_LEVEL", "WARNING")


@pytest.fixture(autouse=True, scope="session")
def _garbage_is_collected() -> None:
    """Test modules import the launcher, which puts collecting off until vLLM calls our plugin."""
    imports_are_done()
