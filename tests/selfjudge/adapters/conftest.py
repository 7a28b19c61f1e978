"""A toy base model of two layers and an adapter for it, both files of numbers that nothing ever runs."""

from pathlib import Path

import pytest

from selfjudge.adapters import Base, Store, read_base
from tests.selfjudge.adapters.files import write_adapter, write_base


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_base(tmp_path / "base")


@pytest.fixture
def base(model: Path) -> Base:
    return read_base(model)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "adapter")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")
