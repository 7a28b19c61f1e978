"""How versions did at the gate: told in log and metrics, and kept in the store, so that every replica can show it."""

import logging
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from selfjudge_service.observability import metrics

# No policy's name begins with a dot.
FOLDER: Final = ".gate-results"
_LOG = logging.getLogger(__name__)


class GateResult(BaseModel):
    """How a version did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    held: AwareDatetime
    passed: bool
    missed: list[str]
    """What it did not reach, with figure and threshold; empty if it passed."""
    wanted: dict[str, float]
    """Thresholds, by the names of the figures below."""
    pairs: int = 0
    """Held-out pairs that it judged."""
    accuracy: float | None = None
    """Share of the pairs whose chosen response it prefers over both orders, a tie counting half."""
    consistency: float | None = None
    """Share of the pairs in which both orders have the same winner."""
    against: str | None = None
    """The version that was active, and that it met in the bracket; None where no bracket was held."""
    judge: Literal["policy", "reference"] | None = None
    """Whose weights judged the bracket: those of the version that was active, or the base."""
    prompts: int = 0
    """Matches of the bracket, one for each prompt."""
    win_share: float | None = None
    """Share of the matches that it won, a tie counting half."""


class GateResults:
    """The results of all versions in a store: the last one of each.

    Args:
        root: the store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def read(self, policy: str, version: str) -> GateResult | None:
        """How a version did the last time; None where it was never at the gate."""
        try:
            return GateResult.model_validate_json(self._path(policy, version).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            _LOG.warning("how %s@%s did at the gate can't be read: %s", policy, version, error)
            return None

    def write(self, policy: str, version: str, result: GateResult) -> None:
        """Keeps how a version did; where the store can't be written, that is told in the log and nowhere else."""
        path = self._path(policy, version)
        temporary = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(result.model_dump_json(indent=1), encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            _LOG.warning("how %s@%s did at the gate can't be written: %s", policy, version, error)

    def forget(self, policy: str, version: str) -> None:
        """Deletes a version's result."""
        self._path(policy, version).unlink(missing_ok=True)

    def _path(self, policy: str, version: str) -> Path:
        return self._folder / policy / f"{version}.json"


def tell_result(name: object, result: GateResult) -> None:
    """Logs how a version did, and counts one that is refused."""
    found = {figure: getattr(result, figure) for figure in result.wanted}
    figures = ", ".join(f"{figure} {value:.4f}" for figure, value in found.items() if value is not None)
    if result.passed:
        _LOG.info("%s passed the gate: %s", name, figures or "there is no active version to meet")
    else:
        metrics.ADAPTER_LOADS.labels("gate").inc()
        _LOG.warning("%s is refused: gate: %s", name, "; ".join(result.missed))
