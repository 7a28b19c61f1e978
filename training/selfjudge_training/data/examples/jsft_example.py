"""One sequence of the JSFT set, in tokens."""

from typing import Final, Literal, NamedTuple

Form = Literal["dialogue", "document", "pair", "score"]
"""A judgment is a document (two responses in it), or in place: of a pair, or of one response."""

JUDGED: Final[tuple[Form, ...]] = ("document", "pair", "score")
"""Forms that have a choice token."""


class JsftExample(NamedTuple):
    """One training sequence; both lists have its length."""

    input_ids: list[int]
    loss_mask: list[bool]
    """True where the token is a target: what the assistant says, and all that follows the judgment template."""
    choice: str | None = None
    """What the judge says: the place of the chosen response, or a score's label; None: this is a dialogue."""
    principle: str | None = None
    cut: bool = False
    """Whether something was cut away to keep within the longest sequence."""
    replay: tuple[int, int] | tuple[()] = ()
    """First token of a response within a judgment that is a target, too, and one past the token that ends it."""
    question: Literal["document", "pair", "score"] = "document"
    """Form of a judgment."""

    @property
    def form(self) -> Form:
        """What it is."""
        return "dialogue" if self.choice is None else self.question

    @property
    def targets(self) -> list[bool]:
        """The loss mask with the response that is a target, too."""
        start, end = self.replay or (0, 0)
        return [target or start <= index < end for index, target in enumerate(self.loss_mask)]
