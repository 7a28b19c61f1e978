"""Configuration of a stage: a YAML file and overrides from the command line, checked against a pydantic model.

Leaves out defaults of any stage: these stand in its own sections, each field documented under it. Whatever is wrong
raises ConfigError, which names the file or the override, the key, and what would be accepted.
"""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

_RECIPES = Path(str(files("selfjudge_training").joinpath("recipes")))


class ConfigError(ValueError):
    """A configuration cannot be read, has an unknown key, or a value that is not accepted."""


class Section(BaseModel):
    """A part of a configuration: unknown keys are errors, values never change, docstrings of fields are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _knows_every_key(cls, content: Any) -> Any:  # noqa: ANN401  # what is not checked yet
        unknown = [key for key in content if key not in cls.model_fields] if isinstance(content, dict) else []
        if unknown:
            said = PydanticCustomError(
                "unknown_key", f"unknown key; accepted are {', '.join(sorted(cls.model_fields))}"
            )
            mistakes = [InitErrorDetails(type=said, loc=(key,), input=content[key]) for key in unknown]
            raise ValidationError.from_exception_data(cls.__name__, mistakes)
        return content


Kind = TypeVar("Kind", bound=Section)


def recipe_path(name: str | Path) -> Path:
    """The file that a user means: a recipe that comes with the package, by its bare name, or any file by its path."""
    shipped = _RECIPES / f"{name}.yaml"
    return shipped if shipped.is_file() and not Path(name).is_file() else Path(name)


def load_config(kind: type[Kind], name: str | Path, overrides: Sequence[str] = ()) -> Kind:
    """Read a YAML file, or a recipe that ships, as a ``kind``, after overrides of the form ``section.key=YAML``.

    A number in an override's key is an index into a list. Raises ConfigError.
    """
    path = recipe_path(name)
    if not path.is_file():
        ships = ", ".join(sorted(recipe.stem for recipe in _RECIPES.glob("*.yaml")))
        raise ConfigError(f"{path}: no such file, and no recipe of this name ships; there are {ships}")
    content = read_mapping(path, f"accepted keys are {', '.join(kind.model_fields)}")
    origins = {_override(content, text): text for text in overrides}
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(_complaint(item, path, origins) for item in error.errors())) from error


def read_mapping(path: Path, wanted: str) -> dict[str, Any]:
    """What a YAML file holds. Raises ConfigError, which says what is ``wanted`` where it is no mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds no mapping; {wanted}")
    return content


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


def _complaint(item: ErrorDetails, path: Path, origins: dict[str, str]) -> str:
    message = item["msg"].removeprefix("Value error, ").replace("tuple", "list").replace("Tuple", "List")
    if not item["loc"]:
        return f"{path}: {message}"  # of keys that do not go together, which it names
    name = ".".join(map(str, item["loc"]))
    overridden = (f"override {text!r}" for place, text in origins.items() if f"{name}.".startswith(f"{place}."))
    return f"{next(overridden, path)}: key {name!r}: {message}"
