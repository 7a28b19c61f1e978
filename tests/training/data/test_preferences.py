"""Plain preference rows, in every form that TRL takes."""

import pytest
from pydantic import ValidationError

from training.data.loaded import MalformedRowError
from training.data.preferences import PreferenceRow, pair

ASKED = [{"role": "user", "content": "Sky?"}]
BLUE, GREEN = [{"role": "assistant", "content": "blue"}], [{"role": "assistant", "content": "green"}]


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
    assert pair(PreferenceRow.model_validate(row)) == (ASKED, "blue", "green", None, None, "")


def test_conversations_of_several_turns_and_categories_are_kept() -> None:
    asked = [{"role": "system", "content": "Be brief."}, *ASKED, *BLUE, *ASKED]
    row = {"prompt": asked, "chosen": BLUE, "rejected": [{"role": "assistant", "content": ""}], "category": "sky"}
    assert pair(PreferenceRow.model_validate(row)) == (asked, "blue", "", None, None, "sky")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"chosen": "blue", "rejected": "green"}, "must end with a message of the user"),
        ({"prompt": "", "chosen": "blue", "rejected": "green"}, "must end with a message of the user"),
        ({"prompt": ASKED + BLUE, "chosen": "blue", "rejected": "green"}, "must end with a message of the user"),
        ({"prompt": "Sky?", "chosen": ASKED, "rejected": GREEN}, "chosen: messages must end with one of the assistant"),
        ({"prompt": "Sky?", "chosen": BLUE, "rejected": []}, "rejected: messages must end with one of the assistant"),
        ({"prompt": "Sea?", "chosen": ASKED + BLUE, "rejected": GREEN}, "another conversation than the prompt"),
        ({"chosen": ASKED + BLUE, "rejected": ASKED + ASKED + GREEN}, "answer different conversations"),
        ({"prompt": "Sky?", "chosen": [{"role": "assistant", "content": ""}], "rejected": "no"}, "chosen.* is empty"),
        ({"prompt": "Sky?", "chosen": "blue", "rejected": BLUE}, "the same response"),
    ],
)
def test_malformed_rows_say_why(row: dict[str, object], complaint: str) -> None:
    with pytest.raises(MalformedRowError, match=complaint):
        pair(PreferenceRow.model_validate(row))


def test_an_unknown_role_is_no_turn() -> None:
    with pytest.raises(ValidationError, match="role"):
        PreferenceRow.model_validate({"prompt": [{"role": "tool", "content": "x"}], "chosen": "a", "rejected": "b"})
