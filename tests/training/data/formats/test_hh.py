"""Transcripts of Anthropic HH."""

import pytest
from selfjudge_training.data.formats.hh import HHRow
from selfjudge_training.data.source import MalformedRowError


def row(chosen: str, rejected: str = "\n\nHuman: Hi\n\nAssistant: No") -> HHRow:
    return HHRow(chosen=chosen, rejected=rejected)


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


def test_the_last_turn_of_the_assistant_is_the_response() -> None:
    before = "\n\nHuman: Hi\n\nAssistant: Hello, you.\n\nLong day?\n\nHuman: Why?"
    found = row(f"{before}\n\nAssistant: Just so.", f"{before}\n\nAssistant: Go away!").pair()
    assert found.conversation == [user("Hi"), assistant("Hello, you.\n\nLong day?"), user("Why?")]
    assert (found.chosen, found.rejected) == ("Just so.", "Go away!")


def test_repeated_headers_are_removed_and_mentions_are_kept() -> None:
    shown = row("\n\nHuman: Assistant: Human: Is it Human: or not?\n\nAssistant:  Assistant: It is").demonstration()
    assert shown.conversation == [user("Is it Human: or not?")]
    assert shown.response == "It is"


def test_turns_of_one_role_in_a_row_are_one_turn() -> None:
    shown = row("\n\nHuman: One\n\nHuman: Two\n\nAssistant: Three\n\nAssistant: Four").demonstration()
    assert shown == ([user("One\n\nTwo")], "Three\n\nFour")


@pytest.mark.parametrize(
    ("chosen", "complaint"),
    [
        ("Hello", "chosen: a transcript must begin with 'Human:'"),
        ("Hello\n\nHuman: Hi\n\nAssistant: Yes", "chosen: a transcript must begin with 'Human:'"),
        ("\n\nAssistant: Hi", "must begin with 'Human:' and end with a turn of 'Assistant:'"),
        ("\n\nHuman: Hi\n\nAssistant: Yes\n\nHuman: Ah", "must begin with 'Human:' and end with a turn"),
        ("\n\nHuman: Hi\n\nAssistant:", "the chosen response is empty"),
        ("\n\nHuman: Ho\n\nAssistant: Yes", "answer different conversations"),
        ("\n\nHuman: Hi\n\nAssistant: No ", "the same response"),
    ],
)
def test_malformed_rows_say_why(chosen: str, complaint: str) -> None:
    with pytest.raises(MalformedRowError, match=complaint):
        row(chosen).pair()


def test_a_demonstration_does_not_mind_what_was_rejected() -> None:
    assert row("\n\nHuman: Hi\n\nAssistant: Yes", "what?").demonstration().response == "Yes"
