"""The figures that go into the manifest of a published adapter: out of reports of evaluations, or by hand."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from selfjudge_training.run.config import ConfigError


def read_metrics(reports: Sequence[Path], named: Sequence[str]) -> dict[str, float]:
    """Every estimate of the reports by its path in them, such as `LLMBar/overall/accuracy`, and each `NAME=VALUE`.

    What is no finite number was not measured and is left out of a report; by hand it is an error. Raises ConfigError.
    """
    metrics: dict[str, float] = {}
    for path in reports:
        metrics |= _estimates_in(path)
    for text in named:
        name, _, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not name or not math.isfinite(number):
            raise ConfigError(f"--metric {text!r}: should have the form NAME=VALUE with a finite number")
        metrics[name] = number
    return metrics


def _estimates_in(path: Path) -> dict[str, float]:
    try:
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{path} is no report.json of `selfjudge-train evaluate`: {error!r}") from error
    found = dict(_estimates(results, ()))
    if not found:
        raise ConfigError(f"{path} has no estimate among its results")
    return found


def _estimates(value: object, names: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    if not isinstance(value, dict):
        return
    mean = value.get("mean")
    if isinstance(mean, int | float) and "low" in value:
        if math.isfinite(mean):
            yield "/".join(names), mean
        return
    for name, part in value.items():
        yield from _estimates(part, (*names, name))
