"""Judgment templates: the one schema that all of them obey, ours and users' own, and their loading from YAML.

A template says what the judge reads around a context and two responses, and how its answer begins. It is text only:
tokens and chat templates are in prompt.py, and the quoting of data in quoting.py.
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Formatter
from typing import Annotated, Final, Literal, NamedTuple, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from selfjudge.errors import PrincipleError, TemplateError

RESPONSE_FIELDS: Final = ("context", "response_a", "response_b")
RATIONALE_FIELDS: Final = ("rationale_a", "rationale_b")


def split_fields(text: str) -> tuple[list[str], list[str]]:
    """The literal pieces of a format string and the names of the fields between them (one piece more than names).

    The syntax is `str.format`'s, `{{` and `}}` for braces, without conversions, formats or attributes.
    """
    pieces, names = [""], []
    for literal, name, spec, conversion in Formatter().parse(text):
        pieces[-1] += literal
        if name is None:
            continue
        if spec or conversion or not name.isidentifier():
            raise ValueError(f"'{{{name}}}' is not a plain field; write braces that are text as '{{{{' and '}}}}'")
        names.append(name)
        pieces.append("")
    return pieces, names


def _fields_are(*wanted: str, principle: bool = False) -> AfterValidator:
    """Check that a format string has exactly these fields, once each and in this order (aside from {principle})."""

    def check(text: str) -> str:
        names = [name for name in split_fields(text)[1] if not (principle and name == "principle")]
        if names != list(wanted):
            also = ", and {principle} anywhere" if principle else ""
            raise ValueError(f"has the fields {names}, but must have {list(wanted)}, once each in this order{also}")
        return text

    return AfterValidator(check)


class Wording(NamedTuple):
    """A template's words under one principle."""

    system: str
    user: tuple[str, ...]
    """The pieces around context, response A and response B: four of them."""
    answer_prefix: str


def _fill(text: str, principle: str | None) -> tuple[str, ...]:
    pieces, names = split_fields(text)
    filled = pieces[:1]
    for name, piece in zip(names, pieces[1:], strict=True):
        if name == "principle":
            filled[-1] += f"{principle}{piece}"
        else:
            filled.append(piece)
    return tuple(filled)


class _Schema(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Turns(_Schema):
    """How one turn of a conversation is written into the context: table 12's labels, and two it has no word for."""

    user: Annotated[str, _fields_are("content")] = "User: {content}"
    assistant: Annotated[str, _fields_are("content")] = "Assistant: {content}"
    system: Annotated[str, _fields_are("content")] = "System: {content}"
    tool: Annotated[str, _fields_are("content")] = "Tool: {content}"
    separator: Annotated[str, _fields_are()] = "\n\n"


class Rationale(_Schema):
    """What follows the choice token where the judge explains itself (table 16)."""

    format: Annotated[str, _fields_are(*RATIONALE_FIELDS)]
    """Everything between the choice token and the end-of-sequence token."""

    stop: tuple[str, ...] = ()
    """Strings that end the generation of a rationale, besides the end-of-sequence token."""


class JudgmentTemplate(_Schema):
    """One judgment template C, or C_p where it has principles (section 3.1, tables 12-16)."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    """What requests call it: lower-case letters, digits and hyphens."""

    source: str
    """Where the words come from."""

    context: Literal["dialogue", "instruction"]
    """`dialogue`: each turn has its label. `instruction`: a lone user turn has none, longer conversations do."""

    turns: Turns = Turns()

    system: Annotated[str, Field(min_length=1)] | None = None
    """The system message; absent where `principles` brings its own."""

    principles: Annotated[Mapping[str, str], Field(min_length=1)] | None = None
    """System message by principle; the principle's name fills `{principle}`."""

    user: Annotated[str, _fields_are(*RESPONSE_FIELDS, principle=True)]
    """The user turn. Context first, then A, then B: what matches share comes first, so that its prefix is cached."""

    answer_prefix: Annotated[str, Field(min_length=1), _fields_are(principle=True)]
    """The start of the assistant turn; the choice token A or B comes right behind it."""

    rationale: Rationale | None = None

    @model_validator(mode="after")
    def _principles_or_system(self) -> Self:
        if (self.system is None) == (self.principles is None):
            raise ValueError("must have exactly one of the keys 'system' and 'principles'")
        asks = any("principle" in split_fields(text)[1] for text in (self.user, self.answer_prefix))
        if asks and self.principles is None:
            raise ValueError("uses {principle}, but has no key 'principles'")
        return self

    def wording(self, principle: str | None = None) -> Wording:
        """The template's words under one principle. Raises PrincipleError where they do not go together."""
        if self.principles is None:
            if principle is not None:
                raise PrincipleError(f"template {self.name!r} takes no principle, but was given {principle!r}")
            system = self.system or ""
        elif principle is None or principle not in self.principles:
            known = ", ".join(map(repr, self.principles))
            given = "none was given" if principle is None else f"not {principle!r}"
            raise PrincipleError(f"template {self.name!r} needs one of the principles {known}; {given}")
        else:
            system = self.principles[principle]
        return Wording(system, _fill(self.user, principle), "".join(_fill(self.answer_prefix, principle)))


def load_template(path: Path | Traversable) -> JudgmentTemplate:
    """Read one template file. Raises TemplateError naming the file and the key, and what would be accepted."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TemplateError(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise TemplateError(f"{path}: must be a mapping with the keys {', '.join(JudgmentTemplate.model_fields)}")
    try:
        return JudgmentTemplate.model_validate(content)
    except ValidationError as error:
        raise TemplateError(f"{path}: {'; '.join(_complaints(error))}") from error


def _complaints(error: ValidationError) -> Iterator[str]:
    for item in error.errors():
        key = ".".join(map(str, item["loc"])) or "template"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            parts: dict[str, type[BaseModel]] = {"turns": Turns, "rationale": Rationale}
            owner = parts.get(str(item["loc"][0]), JudgmentTemplate)
            message = f"unknown key; known are {', '.join(owner.model_fields)}"
        yield f"key {key!r}: {message}"


def load_templates(directory: Path | None = None) -> dict[str, JudgmentTemplate]:
    """All templates by name: the paper's four, and those of the `*.yaml` files of a directory where one is given.

    Raises TemplateError where a file is malformed, a name is taken twice, or the directory has no template.
    """
    own = sorted(
        (entry for entry in files("selfjudge").joinpath("templates").iterdir() if entry.name.endswith(".yaml")),
        key=lambda entry: entry.name,
    )
    theirs = sorted(directory.glob("*.yaml")) if directory is not None else []
    if directory is not None and not theirs:
        raise TemplateError(f"{directory}: has no *.yaml file; give a directory of judgment templates")
    templates: dict[str, JudgmentTemplate] = {}
    for path in [*own, *theirs]:
        template = load_template(path)
        if template.name in templates:
            raise TemplateError(f"{path}: the name {template.name!r} is taken; choose another")
        templates[template.name] = template
    return templates
