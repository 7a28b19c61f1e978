"""Plain preference rows, in every form that TRL takes."""

import json

import pytest
from pydantic import TypeAdapter
from selfjudge_training.data.formats.preferences import PreferenceRow
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.data.rows import Row, validated
from selfjudge_training.data.source import MalformedRowError

ASKED = [{"role": "user", "content": "Sky?"}]
BLUE, GREEN = [{"role": "assistant", "content": "blue"}], [{"role": "assistant", "content": "green"}]


def pair(row: object) -> PreferencePair:
    return validated(Row(1, json.dumps(row)), TypeAdapter(PreferenceRow)).pair()


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Sky?", "chosen": "blue", "rejected": "green"},
        {"prompt": ASKED, "chosen": BLUE, "rejected": GREEN},
        {"prompt": ASKED, "chosen": "blue", "rejected": "green"},
        {"chosen": ASKED + BLUE, "rejected": ASKED + GREEN},
        {"prompt": "Sky?", "chosen": ASKED + BLUE, "rejected": ASKED + GREEN, "score_chosen": 9.0},
    ],
)
def test_every_form_gives_the_same_pair(row: dict[str, object]) -> None:
    assert pair(row) == (ASKED, "blue", "green", None, None, "")


def test_conversations_of_several_turns_and_categories_are_kept() -> None:
    asked = [{"role": "system", "content": "Be brief."}, *ASKED, *BLUE, *ASKED]
    row = {"prompt": asked, "chosen": BLUE, "rejected": [{"role": "assistant", "content": ""}], "category": "sky"}
    assert pair(row) == (asked, "blue", "", None, None, "sky")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"chosen": "blue", "rejected": "green"}, "prompt: is missing or empty, and chosen is text"),
        ({"prompt": "", "chosen": "blue", "rejected": "green"}, "prompt: is missing or empty, and chosen is text"),
        ({"prompt": " ", "chosen": "blue", "rejected": "green"}, "the user's message before the response is empty"),
        ({"prompt": ASKED + BLUE, "chosen": "blue", "rejected": "green"}, "must end with a message of the user"),
        ({"prompt": "Sky?", "chosen": ASKED, "rejected": GREEN}, "chosen: messages must end with one of the assistant"),
        ({"prompt": "Sky?", "chosen": BLUE, "rejected": []}, "rejected: messages must end with one of the assistant"),
        ({"prompt": "Sea?", "chosen": ASKED + BLUE, "rejected": GREEN}, "another conversation than the prompt"),
        ({"chosen": ASKED + BLUE, "rejected": ASKED + ASKED + GREEN}, "answer different conversations"),
        ({"prompt": "Sky?", "chosen": [{"role": "assistant", "content": ""}], "rejected": "no"}, "chosen.* is empty"),
        ({"prompt": "Sky?", "chosen": " \n", "rejected": "no"}, "the chosen response is empty"),
        ({"prompt": "Sky?", "chosen": "blue", "rejected": BLUE}, "the same response"),
        ({"prompt": "Hi", "chosen": "Hi there", "rejected": "Hi."}, "no line ends behind it: give the responses alone"),
        ({"prompt": "Sky?", "chosen": "Sky?\n", "rejected": "Sky?\nblue"}, "the chosen response is empty"),
    ],
)
def test_malformed_rows_say_why(row: dict[str, object], complaint: str) -> None:
    with pytest.raises(MalformedRowError, match=complaint):
        pair(row)


@pytest.mark.parametrize(
    ("prompt", "chosen", "rejected"),
    [
        ("Sky?", "Sky?\nblue", "Sky?\ngreen"),
        ("Sky?\n", "Sky?\nblue", "Sky?\n green"),
        ("Sky?", "Sky? \r\n\nblue", "Sky?\ngreen"),
        (ASKED, "Sky?\nblue", "Sky?\ngreen"),
    ],
)
def test_a_prompt_at_the_head_of_both_texts_is_no_part_of_the_response(
    prompt: object, chosen: str, rejected: str
) -> None:
    found = pair({"prompt": prompt, "chosen": chosen, "rejected": rejected})
    assert (found.chosen, found.rejected) == ("blue", "green")


def test_a_response_that_quotes_the_prompt_stays_as_it_is() -> None:
    found = pair({"prompt": "Sky?", "chosen": "Sky?\nblue", "rejected": "green"})
    assert (found.chosen, found.rejected) == ("Sky?\nblue", "green")


def test_messages_of_openai_are_taken_as_they_are() -> None:
    parts = [{"type": "text", "text": "Sk"}, {"type": "text", "text": "y?"}]
    asked = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts, "name": "Ann"}]
    found = pair({"prompt": asked, "chosen": BLUE, "rejected": GREEN, "category": None})
    assert found == ([{"role": "system", "content": "Be brief."}, *ASKED], "blue", "green", None, None, "")
    assert pair({"prompt": "Sky?", "chosen": BLUE, "rejected": GREEN, "category": 3}).category == "3"


@pytest.mark.parametrize(
    ("prompt", "complaint"),
    [
        (
            [{"role": "tool", "content": "x"}],
            "message 1 should have a 'role' of system, developer, user, assistant and",
        ),
        ([{"role": 1, "content": "x"}], "message 1 should have a 'role' of system, .*not be .*1"),
        ([*ASKED, {"from": "gpt", "value": "x"}], "prompt: message 2 should have a 'role' of .* and as 'content' text"),
        ([{"role": "user", "content": None}], "as 'content' text or a list of text parts, not be .*null"),
        (
            [{"role": "user", "content": [{"type": "image_url"}]}],
            "as 'content' text or a list of text parts, not be .*",
        ),
        ([{"role": "assistant", "content": "", "tool_calls": [{}]}], "message 1 calls tools"),
        (7, "prompt: should be text or a list of messages, not 7"),
        ({"role": "user", "content": "x"}, "prompt: should be text or a list of messages, not {"),
        ("Sky \ud83d", "Invalid JSON: unexpected end of hex escape"),
        ([{"role": "user", "content": "\udc00"}], "Invalid JSON: lone leading surrogate"),
    ],
)
def test_what_is_no_text_says_where_and_what_would_be(prompt: object, complaint: str) -> None:
    with pytest.raises(MalformedRowError, match=complaint):
        pair({"prompt": prompt, "chosen": "a", "rejected": "b"})
