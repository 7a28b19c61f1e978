"""The JSFT set: D_SFT and D_Judge, every pair in both orders (section 3.1, A.3), as token ids with a loss mask.

A judgment of a document that is too long is cut before the choice by the rule of inference, so the choice is always a
target; a dialogue, and a rationale behind its choice, lose their ends. A judgment in place that is too long is left
out: inference can't cut an answer that was sampled.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile

from tqdm import tqdm

from selfjudge import Chat, Choice, InPlaceTemplate, JudgmentEncoder, JudgmentTemplate, dialogue_example
from selfjudge_training.data.examples.in_place_judgments import InPlaceJudgments
from selfjudge_training.data.examples.jsft_example import Form, JsftExample
from selfjudge_training.data.examples.shown import as_shown
from selfjudge_training.data.records import Demonstration, Messages, PreferencePair, ScoredResponse
from selfjudge_training.data.source import DataError

RATIONALE_SHARE = 0.25
"""Of the longest sequence, kept free behind an over-long judgment prompt where a rationale is to follow."""


PairTemplate = JudgmentTemplate | InPlaceTemplate


def each_example(
    chat: Chat,
    templates: Sequence[PairTemplate],
    demonstrations: Sequence[Demonstration],
    pairs: Sequence[PreferencePair],
    scored: Sequence[ScoredResponse] = (),
    *,
    score_template: InPlaceTemplate | None = None,
    max_tokens: int,
    system: str | None = None,
    replay: bool = False,
    quiet: bool = False,
) -> Iterator[JsftExample]:
    """Render one after the other: dialogues, judgments of pairs by each template, scores.

    The two orders of a pair come one behind the other. Dialogues of which no target is left within `max_tokens`, and
    longer judgments in place, are left out. `system` is put before conversations that have no system message, but in
    documents (A.5); `replay` has the place of the chosen response found in judgments of pairs, where it is to be had;
    `quiet` leaves out progress bars. Raises DataError where a pair lacks the rationale that the template has a place
    for, PrincipleError where its principle is not the template's, BudgetError where the template alone is too long.
    """
    hidden = True if quiet else None  # none: hidden where nobody watches
    for demonstration in tqdm(demonstrations, "dialogues", disable=hidden, leave=False):
        conversation = as_shown(chat, demonstration.conversation, system)
        dialogue = _dialogue(chat, conversation, demonstration.response, max_tokens)
        if any(dialogue.loss_mask):
            yield dialogue
    if pairs:
        forms = [
            InPlaceJudgments(chat, template, max_tokens, system).of_pair
            if isinstance(template, InPlaceTemplate)
            else _documents(chat, template, pairs, max_tokens)
            for template in templates
        ]
        for pair in tqdm(pairs, "judgments", disable=hidden, leave=False):
            for judgments in forms:
                yield from judgments(pair, replay)
    if scored and score_template:
        in_place = InPlaceJudgments(chat, score_template, max_tokens, system)
        for response in tqdm(scored, "scores", disable=hidden, leave=False):
            yield from in_place.of_response(response)


def units(forms: Sequence[Form]) -> list[list[int]]:
    """Indices of what should share a step, in a set in the order of `each_example`, told the form of each example.

    A dialogue and a score are alone, a pair's two orders by one template are together: what they say about position
    cancels out within the step.
    """
    places: defaultdict[Form, list[int]] = defaultdict(list)
    for index, form in enumerate(forms):
        places[form].append(index)
    compared = (places["document"], places["pair"])
    orders = [list(both) for of_form in compared for both in zip(of_form[::2], of_form[1::2], strict=True)]
    return [[index] for index in places["dialogue"]] + orders + [[index] for index in places["score"]]


def _dialogue(chat: Chat, conversation: Messages, response: str, max_tokens: int) -> JsftExample:
    ids, mask = dialogue_example(chat, [*conversation, {"role": "assistant", "content": response}])
    return JsftExample(ids[:max_tokens], mask[:max_tokens], cut=len(ids) > max_tokens)


def _documents(
    chat: Chat, template: JudgmentTemplate, pairs: Sequence[PreferencePair], max_tokens: int
) -> Callable[[PreferencePair, bool], Iterator[JsftExample]]:
    principles = dict.fromkeys(pair.principle for pair in pairs)
    encoders = {principle: _encoder(chat, template, principle, max_tokens) for principle in principles}
    return lambda pair, replay: _judgments(encoders[pair.principle], pair, max_tokens, replay=replay)


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
