"""What a file of scenarios may say."""

from itertools import product
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

SHIPPED: Final = Path(__file__).with_name("scenarios.yaml")

Positive = Annotated[float, Field(gt=0)]
Prompt = Literal["tasks"] | Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Objectives(_Part):
    """A request is good if it meets both, the first only where it streams."""

    first_progress_seconds: Positive
    answer_seconds: Positive


class Cell(NamedTuple):
    """One setting: Poisson arrivals for so long."""

    best_of_n: int
    rate: float
    """Arrivals a second."""
    prompt: Prompt
    streaming: bool
    swap_seconds: float | None
    """Pause between two switches of the policy's active version."""
    seconds: float

    @property
    def requests(self) -> int:
        """How many are sent."""
        return max(1, round(self.rate * self.seconds))

    @property
    def name(self) -> str:
        """For people."""
        return f"N={self.best_of_n}, {self.load}"

    @property
    def load(self) -> str:
        """All but the number of candidates, for people."""
        prompt = "tasks" if self.prompt == "tasks" else f"{self.prompt} letters"
        swaps = f", a swap every {self.swap_seconds:g} s" if self.swap_seconds else ""
        stream = "streamed" if self.streaming else "whole"
        return f"{self.rate:g}/s, {prompt}, {stream}{swaps}"


class Scenario(_Part):
    """All combinations of its lists."""

    about: str
    best_of_n: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    rates: list[Positive] = Field(min_length=1)
    prompts: list[Prompt] = Field(min_length=1)
    streaming: list[bool] = Field(min_length=1)
    swap_seconds: list[Positive | None] = Field(default=[None], min_length=1)
    seconds: Positive
    max_tokens: int = Field(default=32, ge=1)
    """Longest candidate."""
    flags: list[str] = []
    """Options of selfjudge-serve."""

    def cells(self) -> list[Cell]:
        """What is measured, in this order."""
        parts = product(self.prompts, self.streaming, self.rates, self.best_of_n, self.swap_seconds)
        return [Cell(n, rate, prompt, streaming, swaps, self.seconds) for prompt, streaming, rate, n, swaps in parts]


class Scenarios(_Part):
    """A file."""

    objectives: Objectives
    scenarios: dict[str, Scenario] = Field(min_length=1)


class ScenariosError(Exception):
    """A file that says something that can't be."""


def load(path: Path) -> Scenarios:
    """Reads a file.

    Raises:
        ScenariosError: naming the key, and what is accepted.
    """
    try:
        return Scenarios.model_validate(yaml.safe_load(path.read_text()))
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ScenariosError(f"{path}: {'; '.join(problems)}") from error
