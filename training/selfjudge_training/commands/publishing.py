"""`selfjudge-train publish`: an adapter into the store that servers read."""

import argparse
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from selfjudge.adapters import Store, read_base
from selfjudge_training.commands.registry import Commands, add_command
from selfjudge_training.run.config import ConfigError, read_mapping

_DESCRIPTION = (
    "Check an adapter and put it into a store, as STORE/POLICY/VERSION/. The version is a hash of the content: "
    "publishing the same adapter twice makes one version. What a server could not serve is refused: other shapes or "
    "keys than the base model's, values that are not finite, DoRA, biases, whole modules. The folder is that of a "
    "self-training run, which says what it was trained on, or one that PEFT wrote, with --base and --template."
)


def add_publish(commands: Commands) -> None:
    """`publish`."""
    summary = "make a trained adapter a version of a policy, for servers to load"
    parser = add_command(commands, "publish", summary, _DESCRIPTION, _publish)
    parser.add_argument("folder", type=Path, help="folder of a finished run, or of an adapter as PEFT writes it")
    parser.add_argument("--store", type=Path, required=True, help="folder of the store; made where there is none")
    parser.add_argument(
        "--policy", required=True, help="what requests call it: lower-case letters, digits, '.', '_', '-'"
    )
    parser.add_argument("--base", type=Path, help="folder of the base model; none: the run's")
    parser.add_argument("--template", help="judgment template that it was trained with; none: the run's")
    parser.add_argument("--parent", help="version of the policy that training went on from")
    parser.add_argument(
        "--max-rank", type=int, help="what servers are started for (--max-lora-rank); none: vLLM's most"
    )
    parser.add_argument(
        "--report", type=Path, action="append", default=[], help="report.json of an evaluation, for the manifest"
    )
    parser.add_argument(
        "--metric", action="append", default=[], metavar="NAME=VALUE", help="one figure more for the manifest"
    )


def _publish(options: argparse.Namespace) -> None:
    began = datetime.now(UTC)
    adapter, recipe = _trained(options.folder)
    judge = recipe.get("judge")
    model = options.base or recipe.get("model")
    template = options.template or (judge.get("template") if isinstance(judge, dict) else None)
    if model is None:
        raise ConfigError(f"{adapter}: nothing says which model it was trained on; name its folder with --base")
    if template is None:
        raise ConfigError(f"{adapter}: nothing says which judgment template it was trained with; name it by --template")
    manifest = Store(options.store).publish(
        options.policy,
        adapter,
        base=read_base(Path(model)),
        template=template,
        max_rank=options.max_rank,
        metrics=_figures(options.report, options.metric),
        parent=options.parent,
        recipe=recipe,
    )
    before = manifest.created < began
    print(f"{'was there already, with the manifest of then' if before else 'published'}: {manifest.name}")
    print(options.store / manifest.policy / manifest.version)


def _trained(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The adapter in a folder and the configuration that it was made by: that of a run, or none."""
    config, adapter = folder / "config.yaml", folder / "adapter"
    if not config.is_file():
        return folder, {}
    if not adapter.is_dir():
        raise ConfigError(
            f"{folder} has no adapter/: the run is not finished, trains no adapter, or has several iterations, of "
            "which one is to be named"
        )
    return adapter, read_mapping(config, "name the folder of a run, or that of an adapter")


def _figures(reports: Sequence[Path], named: Sequence[str]) -> dict[str, float]:
    """Every estimate of the reports by its path in them, such as `LLMBar/overall/accuracy`, and each `NAME=VALUE`.

    What is no finite number was not measured and is left out of a report; by hand it is an error.
    """
    metrics: dict[str, float] = {}
    for path in reports:
        metrics |= _estimates(path)
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


def _estimates(report: Path) -> dict[str, float]:
    """Means that have an interval."""
    from transformers.utils.generic import flatten_dict  # noqa: PLC0415  # slow

    try:
        figures = flatten_dict(json.loads(report.read_text(encoding="utf-8"))["results"], delimiter="/")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{report} is no report.json of `selfjudge-train evaluate`: {error!r}") from error
    intervals = [name.removesuffix("/low") for name in figures if name.endswith("/low")]
    means = {name: figures.get(f"{name}/mean") for name in intervals}
    found = {name: mean for name, mean in means.items() if mean is not None and math.isfinite(mean)}
    if not found:
        raise ConfigError(f"{report} has no estimate among its results")
    return found
