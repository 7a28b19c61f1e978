"""Judgment templates from YAML files: those that ship, and a folder of a user's own, of both forms beside each other.

The key `form` decides the schema: `in-place`, or none for a document.
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from selfjudge.errors import TemplateError
from selfjudge.judgment.in_place import InPlaceTemplate
from selfjudge.judgment.template import JudgmentTemplate, Rationale, Turns

_Template = TypeVar("_Template", JudgmentTemplate, InPlaceTemplate)

_PARTS: Final[Mapping[str, type[BaseModel]]] = {"turns": Turns, "rationale": Rationale}


def load_template(path: Path | Traversable) -> JudgmentTemplate:
    """Read one file of a document's template.

    Raises TemplateError naming the file and the key, and what would be accepted.
    """
    return _validated(path, _content(path), JudgmentTemplate)


def load_templates(directory: Path | None = None) -> dict[str, JudgmentTemplate]:
    """All templates of documents by name: the paper's four, and those of a directory's files where one is given.

    Raises TemplateError where a file of either form is malformed, a name is taken twice, or the directory has no
    *.yaml file.
    """
    return {name: template for name, template in _all(directory).items() if isinstance(template, JudgmentTemplate)}


def load_in_place_templates(directory: Path | None = None) -> dict[str, InPlaceTemplate]:
    """All templates of judgments in place by name, as `load_templates` has the others. Raises as it does."""
    return {name: template for name, template in _all(directory).items() if isinstance(template, InPlaceTemplate)}


def _all(directory: Path | None) -> dict[str, JudgmentTemplate | InPlaceTemplate]:
    own = sorted(
        (entry for entry in files("selfjudge").joinpath("templates").iterdir() if entry.name.endswith(".yaml")),
        key=lambda entry: entry.name,
    )
    theirs = sorted(directory.glob("*.yaml")) if directory is not None else []
    if directory is not None and not theirs:
        raise TemplateError(f"{directory}: has no *.yaml file; give a directory of judgment templates")
    templates: dict[str, JudgmentTemplate | InPlaceTemplate] = {}
    for path in [*own, *theirs]:
        template = _of_either_form(path)
        if template.name in templates:
            raise TemplateError(f"{path}: the name {template.name!r} is taken; choose another")
        templates[template.name] = template
    return templates


def _of_either_form(path: Path | Traversable) -> JudgmentTemplate | InPlaceTemplate:
    content = _content(path)
    if "form" in content:
        return _validated(path, content, InPlaceTemplate)
    return _validated(path, content, JudgmentTemplate)


def _content(path: Path | Traversable) -> dict[str, object]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TemplateError(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise TemplateError(f"{path}: must be a mapping with the keys {', '.join(JudgmentTemplate.model_fields)}")
    return content


def _validated(path: Path | Traversable, content: dict[str, object], schema: type[_Template]) -> _Template:
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise TemplateError(f"{path}: {'; '.join(_complaints(error, schema))}") from error


def _complaints(error: ValidationError, schema: type[BaseModel]) -> Iterator[str]:
    for item in error.errors():
        key = ".".join(map(str, item["loc"])) or "template"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            owner = _PARTS.get(str(item["loc"][0]), schema)
            message = f"unknown key; known are {', '.join(owner.model_fields)}"
        yield f"key {key!r}: {message}"
