"""Judgments in place as examples: what is a target, both orders of a pair, and what is left out."""

import pytest
from selfjudge_training.data.examples.jsft_example import JsftExample
from selfjudge_training.data.examples.jsft_set import each_example, units
from selfjudge_training.data.examples.shown import load_chat
from selfjudge_training.data.records import Demonstration, PreferencePair, ScoredResponse

from selfjudge import InPlaceEncoder, InPlaceTemplate, JudgmentTemplate, load_in_place_templates, load_templates
from selfjudge.shipped import TINY_MODEL

CHAT = load_chat(str(TINY_MODEL))
ASKED = [{"role": "user", "content": "Sort these letters: DCBA"}]
SCORE = InPlaceTemplate(form="in-place", name="score", source="", question="Right? A or B.", labels=("A", "B"))
PAIR = load_in_place_templates()["in-place-pair"]
RIGHT, WRONG = ScoredResponse(ASKED, "ABCD", right=True), ScoredResponse(ASKED, "DCBA", right=False)


def text(example: JsftExample, marked: list[bool]) -> str:
    ids = [token for token, on in zip(example.input_ids, marked, strict=True) if on]
    return str(CHAT.tokens.source.decode(ids))


def scored(*responses: ScoredResponse, max_tokens: int = 999, system: str | None = None) -> list[JsftExample]:
    made = each_example(CHAT, [], [], [], responses, score_template=SCORE, max_tokens=max_tokens, system=system)
    return list(made)


def test_a_score_is_the_judgment_of_inference_and_its_label() -> None:
    right, wrong = scored(RIGHT, WRONG)
    for example, response in ((right, RIGHT), (wrong, WRONG)):
        prompt = InPlaceEncoder(CHAT, SCORE).encode(ASKED, response.response)
        assert example.input_ids[: len(prompt)] == prompt
        assert example.loss_mask.index(True) == len(prompt)
        assert example.form == "score"
    assert (text(right, right.targets), text(wrong, wrong.targets)) == ("A<|eos|>", "B<|eos|>")


def test_a_demonstrated_response_and_its_end_are_targets_too() -> None:
    [example] = scored(RIGHT._replace(demonstrate=True))
    assert text(example, example.targets) == "ABCD<|eos|>A<|eos|>"
    assert text(example, example.loss_mask) == "A<|eos|>"
    start, end = example.replay or (0, 0)
    assert str(CHAT.tokens.source.decode(example.input_ids[start:end])) == "ABCD<|eos|>"


def test_a_rationale_follows_the_label_within_the_judges_turn() -> None:
    [example] = scored(WRONG._replace(rationale=": not sorted"))
    assert text(example, example.targets) == "B: not sorted<|eos|>"


def test_the_default_system_message_stands_before_the_conversation() -> None:
    [example] = scored(RIGHT, system="Default.")
    assert text(example, [True] * len(example.input_ids)).startswith("<|system|>\nDefault.\n<|user|>\nSort")


def test_what_is_too_long_is_left_out_and_never_cut() -> None:
    [example] = scored(RIGHT)
    length = len(example.input_ids)
    assert len(scored(RIGHT, max_tokens=length)) == 1
    assert scored(RIGHT, max_tokens=length - 1) == []


def pairs(pair: PreferencePair, max_tokens: int = 999, *, replay: bool = False) -> list[JsftExample]:
    templates: list[JudgmentTemplate | InPlaceTemplate] = [load_templates()["ultrafeedback"], PAIR]
    shown = [Demonstration(ASKED, "ABCD")]
    return list(
        each_example(
            CHAT, templates, shown, [pair], [RIGHT], score_template=SCORE, max_tokens=max_tokens, replay=replay
        )
    )


def test_each_pair_is_judged_by_each_template_in_both_orders() -> None:
    made = pairs(PreferencePair(ASKED, "ABCD", "DCBA"))
    assert [example.form for example in made] == ["dialogue", *["document"] * 2, *["pair"] * 2, "score"]
    assert [example.choice for example in made] == [None, "A", "B", "A", "B", "A"]
    at_a, at_b = made[3:5]
    encoder = InPlaceEncoder(CHAT, PAIR)
    assert at_a.input_ids[: at_a.loss_mask.index(True)] == encoder.encode(ASKED, "ABCD", "DCBA")
    assert at_b.input_ids[: at_b.loss_mask.index(True)] == encoder.encode(ASKED, "DCBA", "ABCD")
    assert (text(at_a, at_a.targets), text(at_b, at_b.targets)) == ("A<|eos|>", "B<|eos|>")


def test_the_chosen_response_is_replayed_where_it_is_the_given_one() -> None:
    *_, at_a, at_b, _ = pairs(PreferencePair(ASKED, "ABCD", "DCBA"), replay=True)
    assert text(at_a, at_a.targets) == "ABCD<|eos|>A<|eos|>"
    assert text(at_b, at_b.targets) == "B<|eos|>"


def test_both_orders_of_a_pair_are_left_out_together() -> None:
    quoted_at_b = PreferencePair(ASKED, "ABCD\n-----\n", "DCBA")
    at_a, at_b = [len(example.input_ids) for example in pairs(quoted_at_b) if example.form == "pair"]
    assert at_a < at_b
    assert not [each for each in pairs(quoted_at_b, at_a) if each.form == "pair"]


def test_what_shares_a_step_is_told_by_its_form() -> None:
    made = [*pairs(PreferencePair(ASKED, "ABCD", "DCBA")), *scored(WRONG)]
    assert units([example.form for example in made]) == [[0], [1, 2], [3, 4], [5], [6]]


@pytest.mark.parametrize("form", ["document", "pair"])
def test_several_templates_of_one_form_keep_orders_together(form: str) -> None:
    template = load_templates()["ultrafeedback"] if form == "document" else PAIR
    both = [PreferencePair(ASKED, "ABCD", "DCBA"), PreferencePair(ASKED, "ABCD", "BACD")]
    made = list(each_example(CHAT, [template, template], [], both, max_tokens=999))
    assert [[made[index].choice for index in unit] for unit in units([each.form for each in made])] == [["A", "B"]] * 4
