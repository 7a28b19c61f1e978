"""Flags that `vllm serve` obeys before it starts its server, whose place ours takes: refused, or handed on."""

import logging
import os
from argparse import Namespace
from typing import Any, Final, NamedTuple

_LONGEST_HEARTBEAT_SECONDS: Final = 60
_LONGEST_DRAIN_SECONDS: Final = 3600


class Refused(NamedTuple):
    """A flag, the values that change nothing here, and what to do instead of others."""

    flag: str
    accepted: tuple[Any, ...]
    instead: str


_ONE_PROCESS: Final = "one process serves HTTP here"
REFUSED: Final = (
    Refused("headless", (False,), f"{_ONE_PROCESS}: start engines without HTTP by `vllm serve --headless`"),
    Refused("api_server_count", (None, 1), f"{_ONE_PROCESS}: start more replicas instead"),
    Refused("grpc", (False,), "gRPC isn't served: `vllm serve --grpc` does that, without selection"),
    Refused("grpc_port", (None,), "gRPC isn't served: `vllm serve --grpc-port` does that, without selection"),
    Refused("data_parallel_multi_port_external_lb", (False,), f"{_ONE_PROCESS}: start one server a rank instead"),
    Refused("h11_max_incomplete_event_size", (None, 4_194_304), "another parser reads heads, of 64 KiB at most"),
    Refused("h11_max_header_count", (None, 256), "another parser reads heads, of 64 KiB at most"),
    Refused("tokens_only", (False,), "judging needs the text of answers"),
    Refused("skip_tokenizer_init", (False,), "judging needs a tokenizer"),
    Refused("runner", ("auto", "generate"), "selection needs a model that generates"),
)


def refused_flag(args: Namespace) -> str | None:
    """What is wrong with the first flag that would be ignored, if any would be."""
    for flag, accepted, instead in REFUSED:
        # A version of vLLM may lack one.
        if getattr(args, flag, accepted[0]) not in accepted:
            return f"--{flag.replace('_', '-')} is not obeyed by this server: {instead}"
    return None


def hand_on(args: Namespace) -> None:
    """Makes flags of vLLM's the defaults of settings that do the same for tournaments too."""
    if args.sse_keep_alive_interval:
        seconds = min(args.sse_keep_alive_interval, _LONGEST_HEARTBEAT_SECONDS)
        os.environ.setdefault("SELFJUDGE_HEARTBEAT_SECONDS", str(seconds))
    if args.shutdown_timeout:
        os.environ.setdefault("SELFJUDGE_DRAIN_SECONDS", str(min(args.shutdown_timeout, _LONGEST_DRAIN_SECONDS)))
    if args.enable_log_requests:
        # vLLM's other lines of this level stay out of the log.
        logging.getLogger("vllm.entrypoints.serve.utils.request_logger").setLevel(logging.INFO)
