"""The table of metrics in docs/operations.md is the registry's."""

import re
from pathlib import Path
from typing import NamedTuple

import selfjudge_service.background
import selfjudge_service.observability.metrics  # noqa: F401  registers
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "operations.md"
ROW = re.compile(r"^\| `(selfjudge_\w+)` \| (histogram: )?(?:by (.+?): )?.+ \|$", re.MULTILINE)


class Metric(NamedTuple):
    """A metric as it is exposed."""

    name: str
    kind: str
    labels: frozenset[str]


def documented() -> list[Metric]:
    return [
        Metric(
            name,
            "counter" if name.endswith("_total") else marked[:9] or "gauge",
            frozenset(re.findall(r"`(\w+)`", labels)),
        )
        for name, marked, labels in ROW.findall(DOCUMENT.read_text())
    ]


def registered() -> set[Metric]:
    found = {one for one in REGISTRY._collector_to_names if isinstance(one, MetricWrapperBase)}
    return {
        Metric(one._name + ("_total" if one._type == "counter" else ""), str(one._type), frozenset(one._labelnames))
        for one in found
        if one._name.startswith("selfjudge_")
    }


def test_every_metric_is_documented_once_with_its_labels_and_no_other_is() -> None:
    assert len(documented()) == len(set(documented()))
    assert set(documented()) == registered()


def test_no_label_could_hold_what_a_client_wrote() -> None:
    known = {"route", "outcome", "reason", "kind", "fate", "work", "towards", "source", "cause", "policy", "version"}
    known |= {"task"}
    assert {label for metric in registered() for label in metric.labels} <= known
