"""The JSFT set: D_SFT and D_Judge, every pair in both orders (section 3.1, A.3), as token ids with a loss mask.

A judgment that is too long is cut before the choice by the rule of inference, so the choice is always a target; a
dialogue, and a rationale behind its choice, lose their ends.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Literal, NamedTuple

from tqdm import tqdm

from selfjudge import (
    Chat,
    Choice,
    Example,
    JudgmentEncoder,
    JudgmentTemplate,
    RationalePair,
    dialogue_example,
    judgment_example,
)
from selfjudge_training.data.examples.shown import as_shown
from selfjudge_training.data.records import Demonstration, Messages, PreferencePair
from selfjudge_training.data.source import DataError

RATIONALE_SHARE = 0.25
"""Of the longest sequence, kept free behind an over-long judgment prompt where a rationale is to follow."""

Kind = Literal["dialogue", "judgment"]


class JsftExample(NamedTuple):
    """One training sequence; both lists have its length."""

    input_ids: list[int]
    loss_mask: list[bool]
    """True where the token is a target: what the assistant says, and all that follows the judgment template."""
    kind: Kind
    choice: Choice | None = None
    """Place of the chosen response, where this is a judgment."""
    principle: str | None = None
    cut: bool = False
    """Whether something was cut away to keep within the longest sequence."""
    replay: tuple[int, int] | tuple[()] = ()
    """First token of the chosen response within a judgment and one past the token that ends it, where asked for."""


def each_example(
    chat: Chat,
    template: JudgmentTemplate,
    demonstrations: Sequence[Demonstration],
    pairs: Sequence[PreferencePair],
    *,
    max_tokens: int,
    system: str | None = None,
    replay: bool = False,
    quiet: bool = False,
) -> Iterator[JsftExample]:
    """Render one after the other: dialogues, then judgments, the two orders of a pair one behind the other.

    Dialogues of which no target is left within `max_tokens` are left out. `system` is put before demonstrations that
    have no system message (A.5); `replay` has the place of the chosen response found in judgments; `quiet` leaves out
    progress bars. Raises DataError where a pair lacks the rationale that the template has a place for, PrincipleError
    where its principle is not the template's, BudgetError where the template alone is too long.
    """
    hidden = True if quiet else None  # none: hidden where nobody watches
    for demonstration in tqdm(demonstrations, "dialogues", disable=hidden, leave=False):
        conversation = as_shown(chat, demonstration.conversation, system)
        dialogue = _dialogue(chat, conversation, demonstration.response, max_tokens)
        if any(dialogue.loss_mask):
            yield dialogue
    encoders: dict[str | None, JudgmentEncoder] = {}
    for pair in tqdm(pairs, "judgments", disable=hidden, leave=False):
        if pair.principle not in encoders:
            encoders[pair.principle] = _encoder(chat, template, pair.principle, max_tokens)
        made = _judgments(encoders[pair.principle], pair, max_tokens)
        yield from _replayed(encoders[pair.principle], pair, made) if replay else made


def units(judged: Sequence[bool]) -> list[list[int]]:
    """Indices of what should share a step, in a set in the order of `each_example`, told which ones are judgments.

    A dialogue is alone, a pair's two orders are together: what they say about position cancels out within the step.
    """
    dialogues = [[index] for index, judgment in enumerate(judged) if not judgment]
    judgments = [index for index, judgment in enumerate(judged) if judgment]
    return dialogues + [list(orders) for orders in zip(judgments[::2], judgments[1::2], strict=True)]


def _dialogue(chat: Chat, conversation: Messages, response: str, max_tokens: int) -> JsftExample:
    ids, mask = dialogue_example(chat, [*conversation, {"role": "assistant", "content": response}])
    return JsftExample(ids[:max_tokens], mask[:max_tokens], "dialogue", cut=len(ids) > max_tokens)


def _encoder(chat: Chat, template: JudgmentTemplate, principle: str | None, max_tokens: int) -> JudgmentEncoder:
    ending = 1 + len(chat.tokens.encode(chat.tokens.trusted(chat.turn_end())))
    room = max(ending, int(RATIONALE_SHARE * max_tokens)) if template.rationale else ending
    return JudgmentEncoder(chat, template, principle, max_tokens=max_tokens - room)


def _judgments(encoder: JudgmentEncoder, pair: PreferencePair, max_tokens: int) -> list[JsftExample]:
    at_a = at_b = None
    if encoder.template.rationale:
        if pair.rationale is None:
            raise DataError(
                f"judgment template {encoder.template.name!r} wants rationales, but a pair has none; it ends in "
                f"{pair.conversation[-1]['content'][-40:]!r}"
            )
        of_chosen, of_rejected = pair.rationale
        at_a, at_b = RationalePair(of_chosen, of_rejected), RationalePair(of_rejected, of_chosen)
    asked, chosen, rejected = pair.conversation, pair.chosen, pair.rejected
    orders: dict[Choice, Example] = {
        "A": judgment_example(encoder, asked, chosen, rejected, "A", at_a),
        "B": judgment_example(encoder, asked, rejected, chosen, "B", at_b),
    }
    # A prompt that was cut fills its room but for a few tokens: a short one need not be encoded again to know.
    full = max(len(example.prompt_ids) for example in orders.values()) > encoder.max_tokens / 2
    shortened = full and encoder.encode(asked, chosen, rejected).cut is not None
    return [
        JsftExample(
            example.input_ids[:max_tokens],
            example.loss_mask[:max_tokens],
            "judgment",
            choice,
            pair.principle,
            cut=shortened or len(example.input_ids) > max_tokens,
        )
        for choice, example in orders.items()
    ]


def _replayed(encoder: JudgmentEncoder, pair: PreferencePair, judgments: Sequence[JsftExample]) -> list[JsftExample]:
    """Both orders of a pair with the place of the chosen response, found beside the prompts with an empty one there."""
    without = encoder.encode(pair.conversation, "", pair.rejected)
    return [
        judgment if judgment.cut else _with_place(judgment, empty)
        for judgment, empty in zip(judgments, (without.first_at_a, without.first_at_b), strict=True)
    ]


def _with_place(example: JsftExample, empty: Sequence[int]) -> JsftExample:
    whole = example.input_ids[: example.loss_mask.index(True)]
    start = _common(whole, empty)
    end = len(whole) - min(_common(whole[::-1], empty[::-1]), len(empty) - start)
    return example._replace(replay=(start, end + 1))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens are equal at the beginning."""
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False)))
