"""From a training run to a store of adapters, from which a running server takes them.

Any stage that writes a PEFT folder can call `publish_adapter`, at its end or while it trains. Leaves out what a store
is and what it accepts (`selfjudge.adapters`), and telling a server: that is its own to notice, or a request to it.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import JsonValue

from selfjudge.adapters import Manifest, Store, read_base
from selfjudge_training.run.config import ConfigError


class Trained(NamedTuple):
    """An adapter and what it was made with."""

    adapter: Path
    """As PEFT writes it."""
    model: Path
    """Folder of the base model."""
    template: str
    """Name of the judgment template."""
    recipe: Mapping[str, JsonValue]


def publish_adapter(
    store: Path,
    policy: str,
    trained: Trained,
    *,
    metrics: Mapping[str, float] | None = None,
    parent: str | None = None,
    max_rank: int | None = None,
) -> Manifest:
    """Make an adapter a version of a policy; the same content twice is one version, with the manifest of the first.

    A loop that publishes as it trains gives the version that it published before as `parent`. `max_rank` is what the
    servers of this store are started for; None: whatever vLLM can be. Raises AdapterError for what can't be served.
    """
    return Store(store).publish(
        policy,
        trained.adapter,
        base=read_base(trained.model),
        template=trained.template,
        max_rank=max_rank,
        metrics=metrics,
        parent=parent,
        recipe=trained.recipe,
    )


def find_trained(folder: Path, model: Path | None = None, template: str | None = None) -> Trained:
    """What a folder holds: a run's, with its config.yaml and its adapter/, or an adapter by itself.

    A run says which model and template it was trained with; given ones take precedence. Raises ConfigError where
    neither says so, or the run has no adapter.
    """
    adapter, recipe = folder, {}
    if (folder / "config.yaml").is_file():
        adapter, recipe = folder / "adapter", _recipe_in(folder / "config.yaml")
        if not adapter.is_dir():
            raise ConfigError(
                f"{folder} has no adapter/: the run is not finished, trains no adapter, or has several iterations, of "
                "which one is to be named"
            )
    judge, own = recipe.get("judge"), recipe.get("model")
    model = model or (Path(own) if isinstance(own, str) else None)
    template = template or (judge.get("template") if isinstance(judge, dict) else None)
    if model is None:
        raise ConfigError(f"{adapter}: nothing says which model it was trained on; name its folder with --base")
    if template is None:
        raise ConfigError(f"{adapter}: nothing says which judgment template it was trained with; name it by --template")
    return Trained(adapter, model, template, recipe)


def _recipe_in(file: Path) -> dict[str, Any]:
    try:
        recipe = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: cannot be read as YAML: {error}") from error
    if not isinstance(recipe, dict):
        raise ConfigError(f"{file}: holds no mapping; name the folder of a run, or that of an adapter")
    return recipe


def read_figures(reports: Sequence[Path], named: Sequence[str]) -> dict[str, float]:
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
