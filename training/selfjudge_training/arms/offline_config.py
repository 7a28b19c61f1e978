"""Configuration of offline DPO. Sections that mean the same are those of self-training; defaults are the paper's."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveInt

from selfjudge_training.data.source import Source
from selfjudge_training.jsft.config import Lora
from selfjudge_training.run.config import Section
from selfjudge_training.self_training.config import Machine, Objective, Optimisation


class OfflineConfig(Section):
    """One run of DPO on preference pairs that others labelled."""

    model: Path
    """Model folder: initial policy and reference."""
    architecture: str = "llama"
    """Its model type in Transformers; of this a dry run makes a tiny model with random weights."""
    seed: int = 0
    """Decides the order of the pairs, the fresh adapter, and which rejected responses are drawn."""
    pairs: Annotated[tuple[Source, ...], Field(min_length=1)]
    """The preference set, its pairs on the whole (under no principle)."""
    system: str | None = None
    """Message put before conversations without a system message: the one JSFT put before its demonstrations."""
    max_tokens: PositiveInt = 2048
    """Longest sequence; responses lose their ends, pairs whose prompt fills it are left out and counted."""
    lora: Lora = Lora()
    objective: Objective = Objective()
    optimisation: Optimisation = Optimisation()
    """`batch` counts pairs."""
    machine: Machine = Machine()
