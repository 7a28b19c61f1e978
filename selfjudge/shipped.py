"""The model that ships: the one that is served where no other is named."""

from importlib.resources import files
from pathlib import Path
from typing import Final

SHIPPED_MODEL: Final = Path(str(files("selfjudge").joinpath("models", "selfjudge-tiny")))
