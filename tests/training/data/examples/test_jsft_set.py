"""The JSFT set in tokens: what is a target, both orders, cutting, and the three kinds of judgments."""

import pytest
from selfjudge_training.data.examples.jsft_example import JsftExample
from selfjudge_training.data.examples.jsft_set import each_example
from selfjudge_training.data.records import Demonstration, PreferencePair
from selfjudge_training.data.source import DataError
from transformers import AutoTokenizer

from selfjudge import Chat, SafeTokenizer, load_templates
from selfjudge.shipped import TINY_MODEL

TEMPLATES = load_templates()
ASKED = [{"role": "user", "content": "Sort these letters: DCBA"}]
SHOWN = Demonstration(ASKED, "ABCD")
PAIR = PreferencePair(ASKED, "ABCD", "DCBA")
EXPLAINED = PAIR._replace(principle="honesty", rationale=("In order.", "Not in order."))


@pytest.fixture(scope="module")
def chat() -> Chat:
    return Chat(SafeTokenizer(AutoTokenizer.from_pretrained(TINY_MODEL)))


def text(chat: Chat, ids: list[int]) -> str:
    return str(chat.tokens.source.decode(ids))


def targets(chat: Chat, example: JsftExample) -> str:
    return text(chat, [token for token, on in zip(example.input_ids, example.loss_mask, strict=True) if on])


def render(chat: Chat, name: str, pair: PreferencePair, max_tokens: int = 1000) -> list[JsftExample]:
    return list(each_example(chat, [TEMPLATES[name]], [SHOWN], [pair], max_tokens=max_tokens))


def test_dialogues_and_both_orders_of_each_pair(chat: Chat) -> None:
    dialogue, at_a, at_b = render(chat, "ultrafeedback", PAIR)
    assert targets(chat, dialogue) == "ABCD<|eos|>"
    assert (dialogue.choice, at_a.choice, at_b.choice) == (None, "A", "B")
    assert (targets(chat, at_a), targets(chat, at_b)) == ("A<|eos|>", "B<|eos|>")
    shown_a, shown_b = text(chat, at_a.input_ids), text(chat, at_b.input_ids)
    assert "Response A:\n-----\nABCD\n" in shown_a
    assert "Response B:\n-----\nDCBA\n" in shown_a
    assert "Response A:\n-----\nDCBA\n" in shown_b
    assert "Response B:\n-----\nABCD\n" in shown_b


@pytest.mark.parametrize("pair", [PAIR, PAIR._replace(rejected="ABDC")])
def test_the_chosen_response_and_what_ends_it_are_found_for_replay(chat: Chat, pair: PreferencePair) -> None:
    made = each_example(chat, [TEMPLATES["ultrafeedback"]], [SHOWN], [pair], max_tokens=999, replay=True, quiet=True)
    dialogue, *judgments = made
    assert dialogue.replay == ()
    for example in judgments:
        assert example.replay
        start, end = example.replay
        assert text(chat, example.input_ids[start : end - 1]) == "ABCD"
        assert text(chat, example.input_ids[end - 1 : end]).startswith("\n")


def test_all_turns_of_the_assistant_are_targets(chat: Chat) -> None:
    before = [*ASKED, {"role": "assistant", "content": "ABDC"}, {"role": "user", "content": "Again."}]
    [dialogue] = each_example(chat, [TEMPLATES["ultrafeedback"]], [Demonstration(before, "ABCD")], [], max_tokens=99)
    assert targets(chat, dialogue) == "ABDC<|eos|>ABCD<|eos|>"


def test_the_default_system_message_stands_before_demonstrations_that_have_none(chat: Chat) -> None:
    own = Demonstration([{"role": "system", "content": "Mine."}, *ASKED], "ABCD")
    made = each_example(chat, [TEMPLATES["ultrafeedback"]], [SHOWN, own], [PAIR], max_tokens=999, system="Default.")
    shown = [text(chat, example.input_ids) for example in made]
    assert shown[0].startswith("<|system|>\nDefault.\n<|user|>")
    assert shown[1].startswith("<|system|>\nMine.\n<|user|>")
    assert "Default." not in shown[2]


def test_principles_and_rationales_behind_the_choice(chat: Chat) -> None:
    _, at_a, at_b = render(chat, "ultrafeedback-principle", EXPLAINED)
    assert (targets(chat, at_a), targets(chat, at_b)) == ("A<|eos|>", "B<|eos|>")
    assert at_a.principle == "honesty"
    assert text(chat, at_a.input_ids).startswith("<|system|>\nUnder the principle of 'honesty'")
    _, at_a, at_b = render(chat, "ultrafeedback-principle-rationale", EXPLAINED)
    assert targets(chat, at_a) == (
        "A\n\nEvaluation of Response A: In order.\nEvaluation of Response B: Not in order.<|eos|>"
    )
    assert targets(chat, at_b) == (
        "B\n\nEvaluation of Response A: Not in order.\nEvaluation of Response B: In order.<|eos|>"
    )


def test_without_demonstrations_only_judgments_are_left(chat: Chat) -> None:
    made = each_example(chat, [TEMPLATES["ultrafeedback"]], [], [PAIR], max_tokens=999)
    assert [example.choice for example in made] == ["A", "B"]


def test_long_judgments_are_cut_before_the_choice(chat: Chat) -> None:
    long = PAIR._replace(rejected="XYZ " * 500)
    _, at_a, at_b = render(chat, "ultrafeedback", long, 200)
    for example in (at_a, at_b):
        assert example.cut
        assert len(example.input_ids) <= 200
        assert targets(chat, example) == f"{example.choice}<|eos|>"
    assert not any(example.cut for example in render(chat, "ultrafeedback", PAIR, 200))


def test_a_long_rationale_loses_its_end_and_never_the_choice(chat: Chat) -> None:
    long = EXPLAINED._replace(rejected="XYZ " * 500, rationale=("In order. " * 100, "Not."))
    _, at_a, at_b = render(chat, "ultrafeedback-principle-rationale", long, 800)
    assert len(at_a.input_ids) == len(at_b.input_ids) == 800
    assert at_a.cut
    assert targets(chat, at_a).startswith("A\n\nEvaluation of Response A: In order. In order.")


def test_long_dialogues_lose_their_ends_and_hopeless_ones_are_left_out(chat: Chat) -> None:
    shown = [Demonstration(ASKED, "ABCD" * 100), Demonstration([{"role": "user", "content": "XYZ" * 100}], "Z")]
    made = each_example(chat, [TEMPLATES["ultrafeedback"]], shown, [], max_tokens=50)
    assert [(len(example.input_ids), example.cut) for example in made] == [(50, True)]


def test_a_pair_without_the_rationale_that_the_template_wants_is_an_error(chat: Chat) -> None:
    with pytest.raises(DataError, match=r"wants rationales, but a pair has none; it ends in .*DCBA"):
        render(chat, "ultrafeedback-principle-rationale", PAIR._replace(principle="honesty"))
