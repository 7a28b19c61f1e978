"""One server for most end-to-end tests; starting it is what costs."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.serving import PATIENCE, Server, serving

# The shipped model knows neither tools nor JSON: a grammar leads it, and only the second flag past endless blanks.
TOOLS = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
GRAMMAR = ("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}')


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shipped model behind an API key."""
    flags = (*TOOLS, *GRAMMAR, "--client-seconds", str(PATIENCE))
    with serving(tmp_path_factory.mktemp("server") / "log", *flags, key="a-key-for-tests") as running:
        yield running
