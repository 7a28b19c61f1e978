"""Configuration of a stage: a YAML file and overrides from the command line, checked against a pydantic model.

Leaves out defaults of any stage: these stand in its own sections, each field documented under it. Whatever is wrong
raises ConfigError, which names the file or the override, the key, and what would be accepted.
"""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

_RECIPES = Path(str(files("selfjudge_training").joinpath("recipes")))


class ConfigError(ValueError):
    """A configuration cannot be read, has an unknown key, or a value that is not accepted."""


class Section(BaseModel):
    """A part of a configuration: unknown keys are errors, values never change, docstrings of fields are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Kind = TypeVar("Kind", bound=Section)


def recipe_path(name: str) -> Path:
    """The file that a user means: a recipe that comes with the package, by its bare name, or any file by its path."""
    shipped = _RECIPES / f"{name}.yaml"
    return shipped if shipped.is_file() and not Path(name).is_file() else Path(name)


def _recipes() -> list[str]:
    return sorted(path.stem for path in _RECIPES.glob("*.yaml"))


def load_config(kind: type[Kind], path: Path, overrides: Sequence[str] = ()) -> Kind:
    """Read a YAML file as a ``kind``, after the overrides, each of the form ``section.key=YAML``.

    A number in an override's key is an index into a list. Raises ConfigError.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file, and no recipe of this name ships; there are {', '.join(_recipes())}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds no mapping; accepted keys are {', '.join(kind.model_fields)}")
    origins = {_override(content, text): text for text in overrides}
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        complaints = [_complaint(kind, item, path, origins) for item in error.errors()]
        raise ConfigError("\n".join(complaints)) from error


def _override(content: dict[str, Any], text: str) -> str:
    """Set one value within ``content``; returns the dotted key."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"override {text!r}: should have the form section.key=value")
    *owners, last = key.split(".")
    place: Any = content
    try:
        parsed = yaml.safe_load(value)
        for name in owners:
            if isinstance(place, dict) and place.get(name) is None:
                place[name] = {}
            place = place[int(name) if isinstance(place, list) else name]
        place[int(last) if isinstance(place, list) else last] = parsed
    except yaml.YAMLError as error:
        raise ConfigError(f"override {text!r}: the value cannot be read as YAML: {error}") from error
    except (TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"override {text!r}: {key!r} leads through a value that has no such part") from error
    return key


def _complaint(kind: type[Section], item: ErrorDetails, path: Path, origins: dict[str, str]) -> str:
    message = item["msg"].removeprefix("Value error, ").replace("tuple", "list").replace("Tuple", "List")
    if not item["loc"]:
        return f"{path}: {message}"  # of keys that do not go together, which it names
    *owners, key = map(str, item["loc"])
    name = ".".join((*owners, key))
    overridden = (f"override {text!r}" for place, text in origins.items() if f"{name}.".startswith(f"{place}."))
    origin = next(overridden, str(path))
    if item["type"] != "extra_forbidden":
        return f"{origin}: key {name!r}: {message}"
    accepted = sorted({field for section in _sections(kind, owners) for field in section.model_fields})
    return f"{origin}: key {name!r}: unknown key; accepted are {', '.join(accepted)}"


def _sections(kind: type[Section], owners: Sequence[str]) -> list[type[Section]]:
    """The sections that ``owners`` may lead to from ``kind``; several where a field takes more than one."""
    found = [kind]
    for owner in owners:
        fields = [section.model_fields[owner] for section in found if owner in section.model_fields]
        if fields:
            found = [section for field in fields for section in _sections_within(field.annotation)]
        else:  # an index, or the name pydantic gives to a member of a union
            found = [section for section in found if section.__name__ == owner] or found
    return found


def _sections_within(annotation: Any) -> list[type[Section]]:  # noqa: ANN401
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections_within(part)]
