"""One server for all end-to-end tests; starting it is what costs."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.serving import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shipped model behind an API key."""
    with serving(tmp_path_factory.mktemp("server") / "log", key="a-key-for-tests") as running:
        yield running
