"""A clean environment for settings, the fakes as fixtures, and metrics as differences."""

import os
import sys
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import REGISTRY

Counter = Callable[..., float]


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SELFJUDGE_") or name in ("VLLM_API_KEY", "VLLM_PLUGINS"):
            monkeypatch.delenv(name)


@pytest.fixture
def usual_recursion_limit() -> Iterator[None]:
    """Python's own: PyTorch's compiler raises it in a process that compiles, as another test's may have."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(before)


@pytest.fixture
def counted() -> Counter:
    """How much a metric has grown since the test began: `counted("selfjudge_requests_total", outcome="ok")`."""
    before = _samples()

    def grown(name: str, **labels: str) -> float:
        return sum(
            value - before.get((sample, found), 0.0)
            for (sample, found), value in _samples().items()
            if sample == name and labels.items() <= dict(found).items()
        )

    return grown


def _samples() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in REGISTRY.collect()
        if metric.name.startswith("selfjudge_")
        for sample in metric.samples
    }
