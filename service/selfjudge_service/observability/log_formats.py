"""How a log record becomes one line: text for a person at a terminal, JSON for everything that stores logs.

Either way a record stays one line, or begins one and indents the rest: text that a client sent can't look like a line
of its own. `logging.json` names `formatter`; vLLM applies that file in each of its processes, and to uvicorn.
"""

import json
import logging
import os
import re
from typing import Any

from pythonjsonlogger.json import JsonFormatter
from typing_extensions import override

from selfjudge_service.observability import request_context as request
from selfjudge_service.observability.spans import trace_id

# Control characters (C0, DEL, C1) and Unicode's line separators, each as its escape.
_ESCAPES = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
_PLAIN = re.compile(r"[^\s\"=]+")
_OURS = {"selfjudge_service": "selfjudge"}


def formatter() -> logging.Formatter:
    """The formatter that SELFJUDGE_LOG_FORMAT asks for: the engine's process knows the environment only."""
    return JsonLines() if os.environ.get("SELFJUDGE_LOG_FORMAT") == "json" else TextLines()


class JsonLines(JsonFormatter):
    """One JSON object a line: time, level, logger, message, the request's id, and what the record adds."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception", "stack_info": "stack"},
            timestamp="time",
        )
        # uvicorn's own copy of the message, with colours.
        self._skip_fields.add("color_message")

    @override
    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        belonging = {"request_id": request.request_id(), "trace_id": trace_id()}
        return {**log_data, **{name: value for name, value in belonging.items() if value}}


class TextLines(logging.Formatter):
    """`selfjudge: message`; the level where it is a warning or worse, `key=value` for messages that are mappings."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        program = record.name.partition(".")[0]
        level = f"{record.levelname} " if record.levelno >= logging.WARNING else ""
        line = f"{_OURS.get(program, program)}: {level}{_message(record).translate(_ESCAPES)}"
        if (request_id := request.request_id()) is not None:
            line += f" request_id={request_id}"
        if record.exc_info:
            line += "".join(
                f"\n    {one.translate(_ESCAPES)}" for one in self.formatException(record.exc_info).split("\n")
            )
        return line


def _message(record: logging.LogRecord) -> str:
    if not isinstance(record.msg, dict):
        return record.getMessage()
    facts = dict(record.msg)
    return " ".join([facts.pop("message", ""), *(f"{name}={_value(value)}" for name, value in facts.items())])


def _value(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
