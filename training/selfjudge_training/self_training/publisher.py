"""Versions of a policy while it trains: an adapter goes into a store with what it was trained on and its last figures.

Leaves out when (`exchange`), and who serves it.
"""

import math
from pathlib import Path

from selfjudge.adapters import Manifest
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.metrics import FILE, read_metrics
from selfjudge_training.run.publish import Trained, publish_adapter
from selfjudge_training.self_training.config import SelfTrainingConfig


class Publisher:
    """Publishes the adapters of one run, each the child of the one before.

    Raises:
        ConfigError: where the configuration has no `publish`.
    """

    def __init__(self, config: SelfTrainingConfig, run: Path) -> None:
        """``run`` is the run's folder, with its metrics."""
        if config.publish is None:
            raise ConfigError("publish: is needed here, with 'store' and 'policy'")
        self._store, self._policy, self._run = config.publish.store, config.publish.policy, run
        self._model, self._template = config.model, config.judge.template
        self._recipe = config.model_dump(mode="json")
        self._parent: str | None = None

    def publish(self, adapter: Path) -> Manifest:
        """Make a folder, as PEFT writes it, the newest version; content that is there already stays what it was.

        Raises AdapterError for what can't be served.
        """
        trained = Trained(adapter, self._model, self._template, self._recipe)
        manifest = publish_adapter(self._store, self._policy, trained, metrics=self._figures(), parent=self._parent)
        self._parent = manifest.version
        return manifest

    def _figures(self) -> dict[str, float]:
        """What the last step logged; nothing before the first one."""
        if not (self._run / FILE).is_file():
            return {}
        last = (read_metrics(self._run) or [{}])[-1]
        return {f"training/{name}": value for name, value in last.items() if name != "time" and math.isfinite(value)}
