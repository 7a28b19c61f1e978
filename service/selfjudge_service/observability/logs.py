"""Logging: all lines of a server have one format, ours, vLLM's in each of its processes, and uvicorn's.

vLLM and uvicorn are set up by the file that vLLM's own setting names: ours is `logging.json`, unless the operator names
another (--logging-config.pylogging_config_file or VLLM_LOGGING_CONFIG_PATH).

A record is one line, or begins one and indents the rest: text that a client sent can't look like a line of its own.
"""

import json
import logging
import os
import re
import sys
from argparse import Namespace
from logging.config import dictConfig
from pathlib import Path
from typing import Any, Final

from pythonjsonlogger.json import JsonFormatter
from typing_extensions import override

from selfjudge_service.observability import request_context
from selfjudge_service.observability.tracing import trace_id

CONFIGURATION: Final = Path(__file__).with_name("logging.json")
# Control characters (C0, DEL, C1) and Unicode's line separators, each as its escape.
_ESCAPES = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
_PLAIN = re.compile(r"[^\s\"=]+")
_OURS = {"selfjudge_service": "selfjudge"}


def for_us(log_format: str | None) -> None:
    """Sets up our logging; to be called before vLLM is imported, which sets up its own by the same file.

    Args:
        log_format: `text` or `json`; None leaves it to SELFJUDGE_LOG_FORMAT.
    """
    if log_format is not None:
        os.environ["SELFJUDGE_LOG_FORMAT"] = log_format
    os.environ.setdefault("VLLM_LOGGING_CONFIG_PATH", str(CONFIGURATION))
    dictConfig(json.loads(CONFIGURATION.read_text()))


def for_vllm(args: Namespace) -> None:
    """Has vLLM's processes and uvicorn follow the options."""
    from vllm.logger import configure_logging_from_args  # noqa: PLC0415  vLLM is imported after `for_us`

    config = configure_logging_from_args(args)
    if config.pylogging_config_file == str(CONFIGURATION):
        # vLLM lets a file decide on the level as well; ours leaves it to the option, and its children read this.
        os.environ["VLLM_LOGGING_LEVEL"] = config.log_level
        logging.getLogger("vllm").setLevel(config.log_level)


def keep_warnings() -> None:
    """Lowers the root logger again, which a package that vLLM's routes for SageMaker import has raised to ERROR."""
    logging.getLogger().setLevel(logging.WARNING)


def for_plugin() -> None:
    """Sets up our loggers in a stock vLLM server, unless they have handlers."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter())
    for logger in map(logging.getLogger, ("selfjudge_service", "selfjudge")):
        if not logger.hasHandlers():
            logger.setLevel(logging.INFO)
            logger.addHandler(handler)


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
        belonging = {"request_id": request_context.request_id(), "trace_id": trace_id()}
        return {**log_data, **{name: value for name, value in belonging.items() if value}}


class TextLines(logging.Formatter):
    """`selfjudge: message`; the level where it is a warning or worse, `key=value` for messages that are mappings."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        program = record.name.partition(".")[0]
        level = f"{record.levelname} " if record.levelno >= logging.WARNING else ""
        line = f"{_OURS.get(program, program)}: {level}{_message(record).translate(_ESCAPES)}"
        if (request_id := request_context.request_id()) is not None:
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
