"""Judgment templates of documents: the one schema that all of them obey, ours and users' own.

A template says what the judge reads around a context and two responses, and how its answer begins. It is text only:
tokens and chat templates are in prompt.py, the quoting of data in quoting.py, files in template_files.py. Judgments in
place have a schema of their own (in_place.py).
"""

from collections.abc import Mapping
from string import Formatter
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from selfjudge.errors import PrincipleError

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


def fields_are(*wanted: str, principle: bool = False) -> AfterValidator:
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


TemplateName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Schema(BaseModel):
    """A part of a template: unknown keys are errors, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Turns(Schema):
    """How one turn of a conversation is written into the context: table 12's labels, and two it has no word for."""

    user: Annotated[str, fields_are("content")] = "User: {content}"
    assistant: Annotated[str, fields_are("content")] = "Assistant: {content}"
    system: Annotated[str, fields_are("content")] = "System: {content}"
    tool: Annotated[str, fields_are("content")] = "Tool: {content}"
    separator: Annotated[str, fields_are()] = "\n\n"


class Rationale(Schema):
    """What follows the choice token where the judge explains itself (table 16)."""

    format: Annotated[str, fields_are(*RATIONALE_FIELDS)]
    """Everything between the choice token and the end-of-sequence token."""

    stop: tuple[str, ...] = ()
    """Strings that end the generation of a rationale, besides the end-of-sequence token."""


class JudgmentTemplate(Schema):
    """One judgment template C, or C_p where it has principles (section 3.1, tables 12-16)."""

    name: TemplateName
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

    user: Annotated[str, fields_are(*RESPONSE_FIELDS, principle=True)]
    """The user turn. Context first, then A, then B: what matches share comes first, so that its prefix is cached."""

    answer_prefix: Annotated[str, Field(min_length=1), fields_are(principle=True)]
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
