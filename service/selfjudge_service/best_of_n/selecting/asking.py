"""What a selection method wants to know, asked of a judge and reported back: the interface that run.py goes by.

Where texts, tokens and verdicts come from is not known here. A question that can't be read fails alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from selfjudge import Record, SelectionMethod, Verdict

if TYPE_CHECKING:
    from selfjudge_service.best_of_n.judging.in_place import Scored
    from selfjudge_service.best_of_n.judging.judge import Judged


class Asking(ABC):
    """The questions of one selection, and what the judge has said to them so far."""

    def __init__(self, method: SelectionMethod) -> None:
        self.method = method
        self.texts: dict[int, str] = {}
        """Of the candidates that have arrived."""
        self.judged: list[Judged] = []
        """Comparisons that were made."""
        self.verdicts: dict[tuple[int, int], Verdict] = {}
        """Of each match by its two candidates, made for it or repeated."""
        self.scored: list[Scored] = []
        """Reads of scores that were made."""
        self.unreadable = 0
        """Questions that gave no answer."""

    def arrive(self, candidate: int, text: str) -> None:
        """A candidate is there."""
        self.texts[candidate] = text
        self.method.arrive(candidate)

    @abstractmethod
    def ready(self) -> Iterator[Coroutine[None, None, None]]:
        """The questions that can be asked now; each asks the judge and reports what it says."""

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """How many questions have been answered, by what they are called."""

    def records(self) -> list[Record]:
        """The matches."""
        return []

    def scores(self) -> Mapping[int, float]:
        """The scores of candidates."""
        return {}

    def tracing(self) -> AbstractContextManager[object]:
        """What ends spans that are around several questions."""
        return nullcontext()
