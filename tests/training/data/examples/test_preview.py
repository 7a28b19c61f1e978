"""Examples on a terminal, in a file, and with hostile texts in them."""

import io

import pytest
from selfjudge_training.data.examples.jsft_set import each_example
from selfjudge_training.data.examples.preview import rendered, wants_colours
from selfjudge_training.data.examples.shown import load_chat
from selfjudge_training.data.records import Demonstration, Messages, PreferencePair
from typing_extensions import override

from selfjudge import load_templates
from selfjudge.shipped import TINY_MODEL

ASKED: Messages = [{"role": "user", "content": "Sort these letters: DCBA"}]
CHAT = load_chat(str(TINY_MODEL))


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    @override
    def isatty(self) -> bool:
        return True


def shown(*, response: str = "ABCD", colours: bool) -> list[str]:
    made = each_example(
        CHAT,
        [load_templates()["ultrafeedback"]],
        [Demonstration(ASKED, response)],
        [PreferencePair(ASKED, response, "DCBA")],
        max_tokens=1000,
    )
    return [rendered(CHAT, example, colours=colours) for example in made]


def test_targets_stand_between_brackets_without_colours() -> None:
    dialogue, at_a, at_b = shown(colours=False)
    title, *body = dialogue.split("\n")
    assert title.startswith("dialogue, ")
    assert title.endswith(" tokens, 5 of them targets")
    assert body[:3] == ["<|user|>", "Sort these letters: DCBA", "<|assistant|>"]
    assert body[3].startswith("⟦ABCD⟧⟦<|eos|>⟧")
    assert at_a.startswith("judgment, better response at A, ")
    assert "would be Response ⟦A⟧⟦<|eos|>⟧" in at_a
    assert "would be Response ⟦B⟧⟦<|eos|>⟧" in at_b


def test_targets_are_green_and_control_tokens_dim_with_colours() -> None:
    dialogue = shown(colours=True)[0]
    assert "\x1b[2m<|user|>\x1b[0m" in dialogue
    assert "\x1b[1;32mABCD\x1b[0m" in dialogue
    assert "⟦" not in dialogue


def test_texts_cannot_steer_the_terminal() -> None:
    dialogue = shown(response="\x1b[2JABCD\x07\x9b", colours=False)[0]
    assert "␛[2JABCD␇\N{REPLACEMENT CHARACTER}" in dialogue
    assert "\x1b" not in dialogue


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert wants_colours(Terminal())
    assert not wants_colours(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colours(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not wants_colours(Terminal())
