"""What is assumed about GPUs, models and the load, from assumptions.yaml or a file of the same shape."""

from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

SHIPPED: Final = Path(__file__).with_name("assumptions.yaml")

_Positive = Annotated[float, Field(gt=0)]
_Share = Annotated[float, Field(gt=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Gpu(_Part):
    """One GPU, by its data sheet."""

    name: str
    tflops: _Positive
    """Dense bfloat16."""
    bandwidth_tb_s: _Positive
    memory_gb: _Positive
    link_gb_s: _Positive
    """Between GPUs of a node, in one direction."""
    max_num_seqs: int = Field(ge=1)
    max_num_batched_tokens: int = Field(ge=1)
    source: str


class Model(_Part):
    """A dense transformer with grouped-query attention."""

    name: str
    parameters_billion: _Positive
    layers: int = Field(ge=1)
    query_heads: int = Field(ge=1)
    kv_heads: int = Field(ge=1)
    head_size: int = Field(ge=1)
    bytes_per_value: _Positive
    """Of weights and cache."""
    source: str


class Efficiency(_Part):
    """What is attained of the data sheet's figures."""

    compute: _Share
    bandwidth: _Share
    memory: _Share
    """For weights and KV cache; vLLM's gpu_memory_utilization."""
    step_overhead_ms: Annotated[float, Field(ge=0)]
    all_reduce_us: Annotated[float, Field(ge=0)]
    source: str


class Traffic(_Part):
    """What is asked for."""

    requests_per_second: _Positive
    best_of_n: int = Field(ge=1)
    prompt_tokens: int = Field(ge=1)
    response_tokens: _Positive
    response_variation: Annotated[float, Field(ge=0)]
    template_head_tokens: int = Field(ge=0)
    template_tail_tokens: int = Field(ge=0)
    utilization: _Share
    """Load of a replica over the most it can do."""
    source: str


class Assumptions(_Part):
    """Everything."""

    gpus: dict[str, Gpu]
    model: Model
    efficiency: Efficiency
    traffic: Traffic


class AssumptionsError(Exception):
    """A file or a `--set` that says something that can't be."""


def load(path: Path, changes: list[str]) -> Assumptions:
    """Reads a file and applies changes such as `traffic.best_of_n=8`.

    Raises:
        AssumptionsError: naming the key, and what is accepted.
    """
    data = yaml.safe_load(path.read_text())
    for change in changes:
        _apply(data, change)
    try:
        return Assumptions.model_validate(data)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise AssumptionsError(f"{path}: {'; '.join(problems)}") from error


def _apply(data: dict[str, object], change: str) -> None:
    key, equals, value = change.partition("=")
    *folders, last = key.split(".")
    at: object = data
    for folder in folders:
        at = at.get(folder) if isinstance(at, dict) else None
    if not equals or not isinstance(at, dict) or last not in at:
        raise AssumptionsError(f"--set {change}: expected KEY=VALUE, with a key such as traffic.best_of_n")
    at[last] = yaml.safe_load(value)
