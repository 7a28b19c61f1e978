"""From sources to records, with an account of every row that gave none.

Which pairs are made follows from the judgment template they are for: one without principles takes pairs on the whole
(JM), one with principles a pair under each (JM-P), and their rationales where it has a place for them (JM-PR).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from selfjudge import JudgmentTemplate, load_templates
from selfjudge_training.data.formats.hh import HHRow
from selfjudge_training.data.formats.preferences import PreferenceRow
from selfjudge_training.data.formats.prompt_only import PromptRow
from selfjudge_training.data.formats.scored import ScoredRow
from selfjudge_training.data.formats.ultrafeedback import UltraFeedbackRow
from selfjudge_training.data.records import Asked, Demonstration, Messages, PreferencePair, ScoredResponse
from selfjudge_training.data.rows import read_rows, validated
from selfjudge_training.data.source import DataError, Format, MalformedRowError, Part, Source

HELD_OUT_SHARE = 0.1
"""Of the prompts (section 4.1)."""

SHOWN = 20
"""Malformed rows that an account lists one by one; the rest are counted."""

Record = TypeVar("Record")
OfPrompt = TypeVar("OfPrompt", PreferencePair, Demonstration, ScoredResponse, Asked)
Fit = Callable[[Messages], object]
"""Raises MalformedRowError for a conversation that can't be used (`selfjudge_training.data.examples.shown`)."""

ComparedRows = HHRow | PreferenceRow | UltraFeedbackRow
_KINDS: dict[Format, TypeAdapter[Any]] = {
    "hh": TypeAdapter(HHRow),
    "preferences": TypeAdapter(PreferenceRow),
    "prompts": TypeAdapter(PromptRow),
    "scored": TypeAdapter(ScoredRow),
    "ultrafeedback": TypeAdapter(UltraFeedbackRow),
}

_COMPARE_NOTHING: dict[Format, str] = {
    "scored": "in JSFT they belong under 'scores'",
    "prompts": "they belong under the 'prompts' of self-training by samples",
}
"""And where such rows belong."""


@dataclass
class Loaded(Generic[Record]):
    """Records in the order of the rows they come from."""

    records: list[Record] = field(default_factory=list)
    rows: int = 0
    """Rows read, malformed ones included."""
    malformed: list[str] = field(default_factory=list)
    """Of each row that could not be used, where it is, and why."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What a sound row did not give, by reason: no inferior response under a principle, and the like."""

    @contextmanager
    def row(self, place: str, *, strict: bool) -> Iterator[None]:
        """Counts a row. A MalformedRowError within is kept; with `strict` it becomes a DataError."""
        self.rows += 1
        try:
            yield
        except MalformedRowError as error:
            if strict:
                raise DataError(f"{place}: {error}") from error
            self.malformed.append(f"{place}: {error}")

    def account(self, of: str) -> list[str]:
        """Lines for people: how many rows, records, malformed rows (listed up to `SHOWN`), and what was left out."""
        lines = [f"{len(self.records):,} {of} from {self.rows:,} rows, {len(self.malformed):,} of them malformed"]
        lines += [f"  {problem}" for problem in self.malformed[:SHOWN]]
        if len(self.malformed) > SHOWN:
            lines.append(f"  and {len(self.malformed) - SHOWN:,} more")
        return lines + [f"  left out {count:,} times: {why}" for why, count in self.left_out.most_common() if count]


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
    _require_compared(sources)
    for source in sources:
        if source.format != "ultrafeedback" and (template.principles or template.rationale):
            raise DataError(
                f"{source.name}: judgment template {template.name!r} needs pairs under principles, which only format "
                f"'ultrafeedback' has, not {source.format!r}; choose a template without, such as 'hh-helpful'"
            )

    def pairs(row: ComparedRows, left_out: Counter[str]) -> list[PreferencePair]:
        return _pairs(row, template, seed, left_out)

    return _load(sources, pairs, strict=strict, fit=fit)


def _pairs(row: ComparedRows, template: JudgmentTemplate, seed: int, left_out: Counter[str]) -> list[PreferencePair]:
    return row.pairs(template, seed, left_out) if isinstance(row, UltraFeedbackRow) else [row.pair()]


def load_overall_pairs(
    sources: Sequence[Source], *, seed: int = 0, strict: bool = False, fit: Fit | None = None
) -> Loaded[PreferencePair]:
    """Pairs on the whole, as a policy learns from them. Raises DataError as `load_pairs` does."""
    return load_pairs(sources, _overall(), seed=seed, strict=strict, fit=fit)


def _overall() -> JudgmentTemplate:
    """Which one hardly matters: only one with principles asks for other pairs."""
    return load_templates()["ultrafeedback"]


def load_asked(sources: Sequence[Source], *, fit: Fit | None = None) -> Loaded[Asked]:
    """What a policy answers anew, in order: prompts, and the conversations of pairs on the whole.

    Raises DataError where a source cannot be read.
    """
    template = _overall()

    def asked(row: PromptRow | ComparedRows, left_out: Counter[str]) -> list[Asked]:
        if isinstance(row, PromptRow):
            return [Asked(row.conversation)]
        return [Asked(pair.conversation) for pair in _pairs(row, template, 0, left_out)]

    return _load(sources, asked, strict=False, fit=fit)


def load_demonstrations(
    sources: Sequence[Source], *, strict: bool = False, fit: Fit | None = None
) -> Loaded[Demonstration]:
    """The demonstrations of D_SFT, the chosen response of each row, in order. Raises DataError as `load_pairs` does."""
    _require_compared(sources)
    return _load(sources, lambda row, _: [row.demonstration()], strict=strict, fit=fit)


def load_scored(sources: Sequence[Source], *, strict: bool = False, fit: Fit | None = None) -> Loaded[ScoredResponse]:
    """Responses, each right or not, in order. Raises DataError as `load_pairs` does."""
    for source in sources:
        if source.format != "scored":
            raise DataError(f"{source.name}: scores are rows of format 'scored', not {source.format!r}")
    return _load(sources, lambda row, _: [row.scored()], strict=strict, fit=fit)


def _require_compared(sources: Sequence[Source]) -> None:
    for source in sources:
        if belong := _COMPARE_NOTHING.get(source.format):
            raise DataError(f"{source.name}: rows of format {source.format!r} compare no responses; {belong}")


def _load(
    sources: Sequence[Source],
    records: Callable[[Any, Counter[str]], list[OfPrompt]],
    *,
    strict: bool,
    fit: Fit | None,
) -> Loaded[OfPrompt]:
    loaded = Loaded[OfPrompt]()
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
