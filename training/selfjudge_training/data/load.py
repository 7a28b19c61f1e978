"""From sources to records, with an account of every row that gave none.

Which pairs are made follows from the judgment template they are for: one without principles takes pairs on the whole
(JM), one with principles a pair under each (JM-P), and their rationales where it has a place for them (JM-PR).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from selfjudge import JudgmentTemplate, load_templates
from selfjudge_training.data.formats import hh, preferences, ultrafeedback
from selfjudge_training.data.loaded import Loaded, MalformedRowError, Schema, checked
from selfjudge_training.data.records import Demonstration, Messages, PreferencePair
from selfjudge_training.data.rows import read_rows
from selfjudge_training.data.source import DataError, Part, Source

HELD_OUT_SHARE = 0.1
"""Of the prompts (section 4.1)."""

Record = TypeVar("Record", PreferencePair, Demonstration)
Reader = Callable[[object], list[Record]]
Fit = Callable[[Messages], object]
"""Raises MalformedRowError for a conversation that can't be used (`selfjudge_training.data.examples.shown`)."""


def load_pairs(
    sources: Sequence[Source],
    template: JudgmentTemplate,
    *,
    seed: int = 0,
    strict: bool = False,
    fit: Fit | None = None,
) -> Loaded[PreferencePair]:
    """Preference pairs of all sources, in order, as the template needs them; the seed draws the rejected responses.

    Raises DataError where a source cannot be read or has no principles though the template wants some; with `strict`
    also at the first malformed row.
    """
    loaded = Loaded[PreferencePair]()
    for source in sources:
        _load(source, _pair_reader(source, template, seed, loaded.left_out), loaded, strict=strict, fit=fit)
    return loaded


def load_overall_pairs(sources: Sequence[Source], *, seed: int = 0, fit: Fit | None = None) -> Loaded[PreferencePair]:
    """Pairs on the whole, as a policy learns from them or answers their prompts. Raises DataError as `load_pairs`."""
    # Which template hardly matters: only one with principles asks for other pairs.
    return load_pairs(sources, load_templates()["ultrafeedback"], seed=seed, fit=fit)


def load_demonstrations(
    sources: Sequence[Source], *, strict: bool = False, fit: Fit | None = None
) -> Loaded[Demonstration]:
    """The demonstrations of D_SFT, the chosen response of each row, in order. Raises DataError as `load_pairs` does."""
    readers: dict[str, Reader[Demonstration]] = {
        "hh": _reader(hh.HHRow, hh.demonstration),
        "preferences": _reader(preferences.PreferenceRow, preferences.demonstration),
        "ultrafeedback": _reader(ultrafeedback.UltraFeedbackRow, ultrafeedback.demonstration),
    }
    loaded = Loaded[Demonstration]()
    for source in sources:
        _load(source, readers[source.format], loaded, strict=strict, fit=fit)
    return loaded


def _reader(schema: type[Schema], make: Callable[[Schema], Record]) -> Reader[Record]:
    return lambda value: [make(checked(schema, value))]


def _pair_reader(
    source: Source, template: JudgmentTemplate, seed: int, left_out: Counter[str]
) -> Reader[PreferencePair]:
    if source.format == "ultrafeedback":
        principles = tuple(template.principles) if template.principles else None
        wanted = ultrafeedback.Wanted(principles, template.rationale is not None, seed)
        return lambda value: ultrafeedback.pairs(checked(ultrafeedback.UltraFeedbackRow, value), wanted, left_out)
    if template.principles or template.rationale:
        raise DataError(
            f"{source.name}: judgment template {template.name!r} needs pairs under principles, which only format "
            f"'ultrafeedback' has, not {source.format!r}; choose a template without, such as 'hh-helpful'"
        )
    return _reader(hh.HHRow, hh.pair) if source.format == "hh" else _reader(preferences.PreferenceRow, preferences.pair)


def _load(source: Source, reader: Reader[Record], loaded: Loaded[Record], *, strict: bool, fit: Fit | None) -> None:
    for row in read_rows(source):
        with loaded.row(source.name, row.line, strict=strict):
            if row.problem:
                raise MalformedRowError(row.problem)
            found = [record for record in reader(row.value) if _is_in(source.part, record.conversation)]
            if fit is not None:
                for record in found:
                    fit(record.conversation)
            loaded.records += found


def _is_in(part: Part, conversation: Messages) -> bool:
    if part is Part.ALL:
        return True
    # Without the system message, which demonstrations have and pairs have not.
    turns = [turn["content"] for turn in conversation if turn["role"] != "system"]
    digest = hashlib.blake2b(json.dumps(turns).encode(), digest_size=8).digest()
    return (int.from_bytes(digest) < HELD_OUT_SHARE * 2**64) == (part is Part.HELD_OUT)
