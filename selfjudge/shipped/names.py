"""Which models come with the package, and what they are called."""

from importlib.resources import files
from pathlib import Path
from typing import Final

MODELS: Final = Path(str(files("selfjudge").joinpath("models")))

JUDGE: Final = "selfjudge-smollm2"
"""SmolLM2-135M-Instruct with an adapter that makes it a judge. The adapter is still being trained."""
BASE: Final = "smollm2-135m-instruct"
"""The same weights without the adapter, for training to begin with."""
TINY: Final = "selfjudge-tiny"
"""1.3 million parameters whose answers a program can check; nothing has to be fetched for it."""

TINY_MODEL: Final = MODELS / TINY

DEFAULT: Final = TINY
"""The one that is served where none is named, until the adapter of `JUDGE` is there."""

NAMES: Final = (JUDGE, BASE, TINY)
_SHORT: Final = {"smollm2": JUDGE, "tiny": TINY}


def full_name(name: str) -> str | None:
    """The full name of the shipped model that is meant; None where another one is, such as a folder of this name."""
    found = _SHORT.get(name, name)
    return found if found in NAMES and not Path(name).is_dir() else None
