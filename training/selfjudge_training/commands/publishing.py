"""`selfjudge-train publish`: an adapter into the store that servers read."""
# ruff: noqa: PLC0415

import argparse
from pathlib import Path

from selfjudge_training.commands.registry import Command

_DESCRIPTION = (
    "Check an adapter and put it into a store, as STORE/POLICY/VERSION/. The version is a hash of the content: "
    "publishing the same adapter twice makes one version. What a server could not serve is refused: other shapes or "
    "keys than the base model's, values that are not finite, DoRA, biases, whole modules. The folder is that of a "
    "self-training run, which says what it was trained on, or one that PEFT wrote, with --base and --template."
)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
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
    from datetime import UTC, datetime

    from selfjudge_training.run.adapter_store import find_trained, publish_adapter, read_figures

    began = datetime.now(UTC)
    manifest = publish_adapter(
        options.store,
        options.policy,
        find_trained(options.folder, options.base, options.template),
        metrics=read_figures(options.report, options.metric),
        parent=options.parent,
        max_rank=options.max_rank,
    )
    before = manifest.created < began
    print(f"{'was there already, with the manifest of then' if before else 'published'}: {manifest.name}")
    print(options.store / manifest.policy / manifest.version)


PUBLISH = Command(
    "publish",
    "make a trained adapter a version of a policy, for servers to load",
    _DESCRIPTION,
    _add_arguments,
    _publish,
)
