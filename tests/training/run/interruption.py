"""A run that is interrupted, as by Ctrl-C, while it writes a checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selfjudge_training.run.checkpoint import commit_checkpoint


@contextmanager
def interrupted_at(monkeypatch: pytest.MonkeyPatch, fatal: int) -> Iterator[None]:
    """Within, a run dies before the checkpoint of this step is whole; that it does is asserted."""

    def die(folder: Path, step: int) -> object:
        if step == fatal:
            raise InterruptedError
        return commit_checkpoint(folder, step)

    with monkeypatch.context() as patch:
        patch.setattr("selfjudge_training.jsft.trainer.commit_checkpoint", die)
        with pytest.raises(InterruptedError):
            yield
