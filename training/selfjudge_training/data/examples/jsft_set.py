"""The JSFT set: D_SFT and D_Judge, every pair in both orders (section 3.1, A.3), as token ids with a loss mask.

A judgment that is too long is cut before the choice by the rule of inference, so the choice is always a target; a
dialogue, and a rationale behind its choice, lose their ends.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from tqdm import tqdm

from selfjudge import Chat, Choice, JudgmentEncoder, JudgmentTemplate, dialogue_example
from selfjudge_training.data.examples.shown import as_shown
from selfjudge_training.data.records import Demonstration, Messages, PreferencePair
from selfjudge_training.data.source import DataError

RATIONALE_SHARE = 0.25
"""Of the longest sequence, kept free behind an over-long judgment prompt where a rationale is to follow."""


class JsftExample(NamedTuple):
    """One training sequence; both lists have its length."""

    input_ids: list[int]
    loss_mask: list[bool]
    """True where the token is a target: what the assistant says, and all that follows the judgment template."""
    choice: Choice | None = None
    """Place of the chosen response; None: this is a dialogue."""
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
    principles = dict.fromkeys(pair.principle for pair in pairs)
    encoders = {principle: _encoder(chat, template, principle, max_tokens) for principle in principles}
    for pair in tqdm(pairs, "judgments", disable=hidden, leave=False):
        yield from _judgments(encoders[pair.principle], pair, max_tokens, replay=replay)


def units(judged: Sequence[bool]) -> list[list[int]]:
    """Indices of what should share a step, in a set in the order of `each_example`, told which ones are judgments.

    A dialogue is alone, a pair's two orders are together: what they say about position cancels out within the step.
    """
    dialogues = [[index] for index, judgment in enumerate(judged) if not judgment]
    judgments = [index for index, judgment in enumerate(judged) if judgment]
    return dialogues + [list(orders) for orders in zip(judgments[::2], judgments[1::2], strict=True)]


def _dialogue(chat: Chat, conversation: Messages, response: str, max_tokens: int) -> JsftExample:
    ids, mask = dialogue_example(chat, [*conversation, {"role": "assistant", "content": response}])
    return JsftExample(ids[:max_tokens], mask[:max_tokens], cut=len(ids) > max_tokens)


def _encoder(chat: Chat, template: JudgmentTemplate, principle: str | None, max_tokens: int) -> JudgmentEncoder:
    ending = 1 + len(chat.tokens.encode(chat.tokens.trusted(chat.turn_end())))
    room = max(ending, int(RATIONALE_SHARE * max_tokens)) if template.rationale else ending
    return JudgmentEncoder(chat, template, principle, max_tokens=max_tokens - room)


def _judgments(
    encoder: JudgmentEncoder, pair: PreferencePair, max_tokens: int, *, replay: bool
) -> Iterator[JsftExample]:
    prompts = encoder.encode(pair.conversation, pair.chosen, pair.rejected)
    # The chosen response is found beside prompts with an empty one in its place.
    without = encoder.encode(pair.conversation, "", pair.rejected) if replay else prompts
    turn_end = encoder.chat.tokens.trusted(encoder.chat.turn_end())
    orders: tuple[tuple[Choice, list[int], list[int]], ...] = (
        ("A", prompts.first_at_a, without.first_at_a),
        ("B", prompts.first_at_b, without.first_at_b),
    )
    for choice, prompt, empty in orders:
        ids = encoder.continued(prompt, choice, _explanation(encoder.template, pair, choice) + turn_end)
        mask = [index >= len(prompt) for index in range(len(ids))]
        cut = prompts.cut is not None or len(ids) > max_tokens
        place = _place(prompt, empty) if replay and not cut else ()
        yield JsftExample(ids[:max_tokens], mask[:max_tokens], choice, pair.principle, cut, place)


def _explanation(template: JudgmentTemplate, pair: PreferencePair, choice: Choice) -> str:
    """What is said behind the choice but for the end of the turn."""
    if template.rationale is None:
        return ""
    if pair.rationale is None:
        raise DataError(
            f"judgment template {template.name!r} wants rationales, but a pair has none; it ends in "
            f"{pair.conversation[-1]['content'][-40:]!r}"
        )
    of_a, of_b = pair.rationale if choice == "A" else pair.rationale[::-1]
    return template.rationale.format.format(rationale_a=of_a, rationale_b=of_b)


def _place(prompt: Sequence[int], empty: Sequence[int]) -> tuple[int, int]:
    start = _common(prompt, empty)
    return start, len(prompt) - min(_common(prompt[::-1], empty[::-1]), len(empty) - start) + 1


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens are equal at the beginning."""
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False)))
