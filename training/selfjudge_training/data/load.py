"""From sources to records, with an account of every row that gave none.

Which pairs are made follows from the judgment template they are for: one without principles takes pairs on the whole
(JM), one with principles a pair under each (JM-P), and their rationales where it has a place for them (JM-PR).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter

from selfjudge import JudgmentTemplate, load_templates
from selfjudge_training.data.formats.hh import HHRow
from selfjudge_training.data.formats.preferences import PreferenceRow
from selfjudge_training.data.formats.ultrafeedback import UltraFeedbackRow
from selfjudge_training.data.loaded import Loaded
from selfjudge_training.data.records import Demonstration, Messages, PreferencePair
from selfjudge_training.data.rows import read_rows, validated
from selfjudge_training.data.source import DataError, Format, Part, Source

HELD_OUT_SHARE = 0.1
"""Of the prompts (section 4.1)."""

Record = TypeVar("Record", PreferencePair, Demonstration)
Fit = Callable[[Messages], object]
"""Raises MalformedRowError for a conversation that can't be used (`selfjudge_training.data.examples.shown`)."""

AnyRow = HHRow | PreferenceRow | UltraFeedbackRow
_KINDS: dict[Format, TypeAdapter[Any]] = {
    "hh": TypeAdapter(HHRow),
    "preferences": TypeAdapter(PreferenceRow),
    "ultrafeedback": TypeAdapter(UltraFeedbackRow),
}


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
    for source in sources:
        if source.format != "ultrafeedback" and (template.principles or template.rationale):
            raise DataError(
                f"{source.name}: judgment template {template.name!r} needs pairs under principles, which only format "
                f"'ultrafeedback' has, not {source.format!r}; choose a template without, such as 'hh-helpful'"
            )

    def pairs(row: AnyRow, left_out: Counter[str]) -> list[PreferencePair]:
        return row.pairs(template, seed, left_out) if isinstance(row, UltraFeedbackRow) else [row.pair()]

    return _load(sources, pairs, strict=strict, fit=fit)


def load_overall_pairs(sources: Sequence[Source], *, seed: int = 0, fit: Fit | None = None) -> Loaded[PreferencePair]:
    """Pairs on the whole, as a policy learns from them or answers their prompts. Raises DataError as `load_pairs`."""
    # Which template hardly matters: only one with principles asks for other pairs.
    return load_pairs(sources, load_templates()["ultrafeedback"], seed=seed, fit=fit)


def load_demonstrations(
    sources: Sequence[Source], *, strict: bool = False, fit: Fit | None = None
) -> Loaded[Demonstration]:
    """The demonstrations of D_SFT, the chosen response of each row, in order. Raises DataError as `load_pairs` does."""
    return _load(sources, lambda row, _: [row.demonstration()], strict=strict, fit=fit)


def _load(
    sources: Sequence[Source],
    records: Callable[[AnyRow, Counter[str]], list[Record]],
    *,
    strict: bool,
    fit: Fit | None,
) -> Loaded[Record]:
    loaded = Loaded[Record]()
    for source in sources:
        for row in read_rows(source):
            with loaded.row(f"{source.name}:{row.line}", strict=strict):
                made = records(validated(row, _KINDS[source.format]), loaded.left_out)
                found = [record for record in made if _is_in(source.part, record.conversation)]
                if fit is not None:
                    for record in found:
                        fit(record.conversation)
                loaded.records += found
    return loaded


def _is_in(part: Part, conversation: Messages) -> bool:
    if part is Part.ALL:
        return True
    # Without the system message, which demonstrations have and pairs have not.
    turns = [turn["content"] for turn in conversation if turn["role"] != "system"]
    digest = hashlib.blake2b(json.dumps(turns).encode(), digest_size=8).digest()
    return (int.from_bytes(digest) < HELD_OUT_SHARE * 2**64) == (part is Part.HELD_OUT)
