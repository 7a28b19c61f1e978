"""Where rows come from: a local file or a data set of the hub, and which of the five formats they have."""

from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import PositiveInt, model_validator

from selfjudge_training.run.config import Section

Format = Literal["hh", "ultrafeedback", "preferences", "scored", "prompts"]


class Part(StrEnum):
    """A share of a source's prompts: a hash of the prompt decides, so pairs and demonstrations agree on it."""

    ALL = "all"
    TRAIN = "train"
    HELD_OUT = "held-out"


class DataError(ValueError):
    """A source cannot be read, cannot give what is asked of it, or has a malformed row where none is allowed."""


class MalformedRowError(ValueError):
    """A row is not what its format says; the message is the reason."""


class Source(Section):
    """One file, or one data set of the hub. Exactly one of `path` and `hub` must be given."""

    format: Format
    """What a row is: `hh` (transcripts), `ultrafeedback` (rated completions), `preferences` (TRL's rows), `scored` (one
    response each, right or not), `prompts` (no response, for self-training)."""
    path: Path | None = None
    """A local .jsonl, .json (an array of objects) or .parquet file; .jsonl.gz and .json.gz too."""
    hub: str | None = None
    """Name of a data set as `datasets.load_dataset` takes it, like `Anthropic/hh-rlhf`."""
    folder: str | None = None
    """Folder within the hub's data set, like `helpful-base`."""
    split: str | None = None
    """Split of the hub's data set; none: `train`."""
    part: Part = Part.ALL
    """Section 4.1 holds out a tenth of UltraFeedback's prompts; here `held-out` is that tenth, `train` the rest."""
    limit: PositiveInt | None = None
    """Read only so many rows, for trials."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.path) if self.path else "/".join(filter(None, (self.hub, self.folder, self.split or "train")))

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give exactly one of 'path' (a local file) and 'hub' (a name on the hub)")
        if self.path and (self.folder or self.split):
            raise ValueError("'folder' and 'split' belong to a source on the hub; a 'path' has neither")
        return self
