"""Lines of the log, whatever a record says."""

import json
import logging
import sys
from contextvars import copy_context

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selfjudge_service.observability.logs import JsonLines, TextLines, formatter
from selfjudge_service.observability.request_context import begin

# What some reader of logs or other takes for the end of a line.
ENDS = st.sampled_from(
    ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029", "\x1b[2K", "\x00", "\x7f"]
)
TEXTS = st.lists(st.text() | ENDS).map("".join)


def record(
    message: object, *args: object, name: str = "selfjudge_service.server.launcher", level: int = logging.INFO
) -> logging.LogRecord:
    return logging.LogRecord(name, level, "file.py", 1, message, args, None)


def failed(text: str) -> logging.LogRecord:
    """A record of an exception that quotes a text."""
    failure = record("it failed", level=logging.ERROR)
    try:
        raise ValueError(text)  # noqa: TRY301  a record needs the traceback
    except ValueError:
        failure.exc_info = sys.exc_info()
    return failure


@given(TEXTS)
def test_a_message_is_one_line_whatever_it_quotes(text: str) -> None:
    for message in (record(text), record("got %r and %s", text, text), record({"message": "request", "model": text})):
        for lines in (TextLines(), JsonLines()):
            assert len(lines.format(message).splitlines()) <= 1


@given(TEXTS)
def test_json_gives_back_what_was_said(text: str) -> None:
    assert json.loads(JsonLines().format(record("%s", text)))["message"] == text
    assert json.loads(JsonLines().format(record({"message": "request", "model": text})))["model"] == text


@given(TEXTS)
def test_a_traceback_can_not_look_like_lines_of_their_own(text: str) -> None:
    first, *rest = TextLines().format(failed(text)).splitlines()
    assert first.startswith("selfjudge: ERROR it failed")
    assert rest
    assert all(line.startswith("    ") for line in rest)
    told = json.loads(JsonLines().format(failed(text)))
    assert text in told["exception"]
    assert len(JsonLines().format(failed(text)).splitlines()) == 1


def test_json_has_these_fields() -> None:
    told = json.loads(JsonLines().format(record({"message": "request", "status": 200, "seconds": 0.25})))
    assert told.pop("time").startswith("20")
    assert told == {
        "level": "INFO",
        "logger": "selfjudge_service.server.launcher",
        "message": "request",
        "status": 200,
        "seconds": 0.25,
    }


def test_uvicorns_colours_are_left_out() -> None:
    coloured = record("stopping", name="uvicorn.error")
    coloured.color_message = "\x1b[1mstopping"
    assert "color_message" not in json.loads(JsonLines().format(coloured))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (record("ready"), "selfjudge: ready"),
        (
            record("%s is refused", "p@v", name="selfjudge_service.adapters", level=logging.WARNING),
            "selfjudge: WARNING p@v is refused",
        ),
        (record("dead", name="vllm.v1.engine", level=logging.ERROR), "vllm: ERROR dead"),
        (
            record({"message": "request", "status": 200, "route": "/judge"}),
            "selfjudge: request status=200 route=/judge",
        ),
        (record({"message": "request", "model": "x outcome=ok"}), 'selfjudge: request model="x outcome=ok"'),
        (record("a\nselfjudge: forged"), r"selfjudge: a\nselfjudge: forged"),
    ],
)
def test_text_is_for_a_person(line: logging.LogRecord, text: str) -> None:
    assert TextLines().format(line) == text


def test_lines_of_a_request_bear_its_id() -> None:
    def within() -> None:
        begin("abc")
        assert TextLines().format(record("adopted")) == "selfjudge: adopted request_id=abc"
        assert json.loads(JsonLines().format(record("adopted")))["request_id"] == "abc"

    copy_context().run(within)


def test_the_environment_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(formatter(), TextLines)
    monkeypatch.setenv("SELFJUDGE_LOG_FORMAT", "json")
    assert isinstance(formatter(), JsonLines)
