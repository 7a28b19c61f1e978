"""What `adapter_config.json`, PEFT's, says of a LoRA adapter, as far as serving it goes."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from selfjudge.errors import AdapterError

_Number = TypeVar("_Number", int, float)

CONFIG: Final = "adapter_config.json"
_MOST_BYTES: Final = 1 << 20

_PLAIN_STARTS: Final = {"gaussian", "eva", "orthogonal", "mica", "lora_ga"}
"""Ways to begin that leave the base model as it is; the others (PiSSA, LoftQ, ...) train beside a changed one."""

_MUST_BE_OFF: Final = (
    "use_dora",
    "modules_to_save",
    "lora_bias",
    "trainable_token_indices",
    "target_parameters",
    "layer_replication",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
    "use_bdlora",
    "use_qalora",
)
"""Fields of PEFT's that make more of an adapter than two matrices a module, which is all that vLLM multiplies by."""

_SETS: Final = ("target_modules", "exclude_modules")
"""Fields that PEFT holds as sets, and writes in an order that changes from process to process."""

EngineRank = Literal[1, 8, 16, 32, 64, 128, 256, 320, 512]

ENGINE_RANKS: Final[tuple[EngineRank, ...]] = get_args(EngineRank)
"""Those that vLLM can be started for; an adapter of a rank in between runs as one of the next higher."""


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


def _compiles_inside(pattern: str) -> str:
    _compiles(rf"(.*\.)?({pattern})")
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]
"""A regular expression for the whole name of a module."""

NamePart = Annotated[str, AfterValidator(_compiles_inside)]
"""One that stands inside a longer one of PEFT's."""

Rank = Annotated[int, Field(ge=1)]
Alpha = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class AdapterConfig(BaseModel):
    """A LoRA configuration that vLLM can serve. Fields that matter to training only are not kept."""

    model_config = ConfigDict(frozen=True, strict=True)

    r: Rank
    lora_alpha: Alpha
    target_modules: Annotated[list[str], Field(min_length=1)] | Pattern
    exclude_modules: list[str] | Pattern | None = None
    layers_to_transform: list[int] | int | None = None
    layers_pattern: list[NamePart] | NamePart | None = None
    rank_pattern: dict[NamePart, Rank] | None = None
    alpha_pattern: dict[NamePart, Alpha] | None = None
    use_rslora: bool = False
    fan_in_fan_out: bool = False

    @property
    def largest_rank(self) -> int:
        """Of any module."""
        return max([self.r, *(self.rank_pattern or {}).values()])

    def rank_of(self, module: str) -> int:
        """The rank of a module: that of the first pattern that its name ends in, as PEFT has it."""
        return _of_pattern(self.rank_pattern, module, self.r)

    def scaling_of(self, module: str) -> float:
        """What the product of a module's matrices is multiplied by."""
        alpha, rank = _of_pattern(self.alpha_pattern, module, self.lora_alpha), self.rank_of(module)
        return alpha / (rank**0.5 if self.use_rslora else rank)

    def targets(self, module: str) -> bool:
        """Whether the adapter has a part for a module of this name."""
        if not _selects(self.target_modules, module) or _selects(self.exclude_modules or [], module):
            return False
        if self.layers_to_transform is None:
            return True
        layers = [self.layers_to_transform] if isinstance(self.layers_to_transform, int) else self.layers_to_transform
        return any(int(number) in layers for number in self._layer_numbers(module))

    def _layer_numbers(self, module: str) -> list[str]:
        patterns = [self.layers_pattern] if isinstance(self.layers_pattern, str) else self.layers_pattern
        found = (re.match(rf".*\.{pattern}\.(\d+)\.", module) for pattern in patterns or [r"[^.]*"])
        return [match[1] for match in found if match and match[1] and match[1].isdecimal()]


def read_config(folder: Path) -> AdapterConfig:
    """The configuration in a PEFT folder.

    Raises AdapterError: `files` where there is none, `config` where it is malformed, `unsupported` where vLLM can't
    serve what it describes.
    """
    path = folder / CONFIG
    fields = _read_fields(path)
    _require_plain_lora(path, fields)
    try:
        return AdapterConfig.model_validate(fields)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise AdapterError("config", f"{path}: {'; '.join(problems)}") from error


def copy_config(source: Path, target: Path) -> None:
    """Copy the configuration from folder to folder, in one and the same spelling for equal ones.

    Raises AdapterError `files` and `config` as `read_config` does.
    """
    fields = _read_fields(source / CONFIG)
    for name in _SETS:
        if isinstance(fields.get(name), list):
            fields[name] = sorted(fields[name], key=str)
    (target / CONFIG).write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _read_fields(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise AdapterError(
            "files", f"{path.parent} holds no adapter: it has no {CONFIG}, which PEFT's save_pretrained writes"
        )
    if path.stat().st_size > _MOST_BYTES:
        raise AdapterError("config", f"{path} has more than {_MOST_BYTES:,} bytes")
    try:
        fields = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise AdapterError("config", f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(fields, dict):
        raise AdapterError("config", f"{path} holds no JSON object")
    return fields


def _require_plain_lora(path: Path, fields: dict[str, Any]) -> None:
    problems = [f"{name} {fields[name]!r}: must be off or empty" for name in _MUST_BE_OFF if fields.get(name)]
    if (kind := fields.get("peft_type")) != "LORA":
        problems.append(f"peft_type {kind!r}: must be 'LORA'")
    if (bias := fields.get("bias", "none")) != "none":
        problems.append(f"bias {bias!r}: must be 'none'")
    start = fields.get("init_lora_weights")
    if isinstance(start, str) and start.lower() not in _PLAIN_STARTS:
        problems.append(f"init_lora_weights {start!r}: changes the base model; convert it to plain LoRA with PEFT")
    if problems:
        raise AdapterError("unsupported", f"{path} describes what can't be served: {'; '.join(problems)}")


def _of_pattern(patterns: Mapping[str, _Number] | None, module: str, default: _Number) -> _Number:
    for pattern, number in (patterns or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", module):
            return number
    return default


def _selects(wanted: Sequence[str] | str, module: str) -> bool:
    """Whether a module is meant: by a regular expression for its whole name, or by a list of ends of names."""
    if wanted == "all-linear":
        return True
    if isinstance(wanted, str):
        return re.fullmatch(wanted, module) is not None
    return any(module == end or module.endswith(f".{end}") for end in wanted)
