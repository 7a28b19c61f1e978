"""Sets logging up, so that all lines of a server have one format: ours, vLLM's in each of its processes, uvicorn's.

For vLLM and uvicorn vLLM's own setting does it, which names a file. An operator who names another one
(--logging-config.pylogging_config_file or VLLM_LOGGING_CONFIG_PATH) has that.
"""

import json
import logging
import os
import sys
from argparse import Namespace
from logging.config import dictConfig
from pathlib import Path
from typing import Final

from selfjudge_service.observability.log_formats import formatter

CONFIGURATION: Final = Path(__file__).with_name("logging.json")


def for_us(log_format: str | None) -> None:
    """Before vLLM is imported, which then sets up its own logging by the same file.

    Args:
        log_format: `text` or `json`; None leaves it to SELFJUDGE_LOG_FORMAT.
    """
    if log_format is not None:
        os.environ["SELFJUDGE_LOG_FORMAT"] = log_format
    os.environ.setdefault("VLLM_LOGGING_CONFIG_PATH", str(CONFIGURATION))
    dictConfig(json.loads(CONFIGURATION.read_text()))


def for_vllm(args: Namespace) -> None:
    """Once the options are known: has vLLM's processes and uvicorn follow them."""
    from vllm.logger import configure_logging_from_args  # noqa: PLC0415  vLLM is imported after `for_us`

    config = configure_logging_from_args(args)
    if config.pylogging_config_file == str(CONFIGURATION):
        # vLLM lets a file decide on the level as well; ours leaves it to the option, and its children read this.
        os.environ["VLLM_LOGGING_LEVEL"] = config.log_level
        logging.getLogger("vllm").setLevel(config.log_level)


def keep_warnings() -> None:
    """Once vLLM's routes are there: those for SageMaker import a package that raises the root logger to ERROR."""
    logging.getLogger().setLevel(logging.WARNING)


def for_plugin() -> None:
    """In anybody's vLLM server: sets up our loggers, unless somebody has."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter())
    for logger in map(logging.getLogger, ("selfjudge_service", "selfjudge")):
        if not logger.hasHandlers():
            logger.setLevel(logging.INFO)
            logger.addHandler(handler)
