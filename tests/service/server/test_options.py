"""From command-line flags to vLLM's options and our settings, without starting an engine."""

import logging
import os
import re
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
import pytest
import vllm
from selfjudge_service.server.options import REFUSED, _parse, read_options
from selfjudge_service.settings import Flags, Settings
from vllm.entrypoints.serve.utils.request_logger import logger as request_logger
from vllm.utils.argparse_utils import FlexibleArgumentParser

from selfjudge.shipped import TINY_MODEL


@pytest.fixture(autouse=True)
def _environment_is_put_back() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def parse(*argv: str, on_cpu: bool = True) -> Namespace:
    return _parse(argv, on_cpu=on_cpu)


def test_without_flags_the_tiny_model_is_served() -> None:
    args = parse()
    assert (args.model, args.served_model_name) == ("selfjudge-tiny", ["selfjudge-tiny"])


def test_the_language_model_is_served_by_its_name() -> None:
    args = parse("smollm2")
    assert (args.model, args.served_model_name) == ("selfjudge-smollm2", ["selfjudge-smollm2"])
    assert (args.host, args.scheduling_policy, args.enable_prompt_tokens_details) == ("127.0.0.1", "priority", True)
    assert args.kv_cache_memory_bytes == 2**31
    assert parse("smollm2", on_cpu=False).kv_cache_memory_bytes is None


@pytest.mark.parametrize("named", ["tiny", "selfjudge-tiny", str(TINY_MODEL)])
def test_the_tiny_model_is_known_by_each_of_its_names_and_by_its_folder(named: str) -> None:
    args = parse(named)
    assert (args.model, args.served_model_name) == ("selfjudge-tiny", ["selfjudge-tiny"])
    assert args.kv_cache_memory_bytes == 2**30


def test_a_folder_goes_before_a_shipped_model_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "selfjudge-tiny").mkdir()
    args = parse("selfjudge-tiny")
    assert (args.model, args.served_model_name) == (str(tmp_path / "selfjudge-tiny"), None)


@pytest.mark.parametrize("argv", [("org/model",), ("--model", "org/model")])
def test_any_other_model_keeps_vllms_own_defaults(argv: tuple[str, ...]) -> None:
    args = parse(*argv, on_cpu=False)
    assert (args.model, args.served_model_name, args.kv_cache_memory_bytes) == ("org/model", None, None)


def test_on_a_cpu_another_model_gets_a_part_of_the_free_memory_for_its_cache() -> None:
    assert 0 < parse("org/model").kv_cache_memory_bytes < psutil.virtual_memory().available / 2
    assert parse("org/model", "--kv-cache-memory-bytes", "1G").kv_cache_memory_bytes == 2**30


def test_on_a_cpu_the_type_of_numbers_is_left_open_and_blocks_are_small() -> None:
    assert (parse().dtype, parse().block_size) == (None, 32)


def test_on_a_gpu_vllm_decides() -> None:
    assert parse(on_cpu=False).dtype == "auto"


def test_what_is_given_goes_before_our_defaults() -> None:
    args = parse("--host", "0.0.0.0", "--dtype", "bfloat16", "--scheduling-policy", "fcfs", "--port", "9000")  # noqa: S104
    assert (args.host, args.dtype, args.scheduling_policy, args.port) == ("0.0.0.0", "bfloat16", "fcfs", 9000)  # noqa: S104


def test_our_flags_reach_the_settings() -> None:
    parse("--max-best-of-n", "16", "--default-best-of-n", "4", "--template", "hh-helpful", "--max-body-mib", "0.5")
    settings = Settings()
    assert (settings.max_best_of_n, settings.default_best_of_n) == (16, 4)
    assert (settings.template, settings.max_body_mib) == ("hh-helpful", 0.5)


def test_a_flag_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFJUDGE_MAX_BEST_OF_N", "8")
    parse()
    assert Settings().max_best_of_n == 8
    parse("--max-best-of-n", "16")
    assert Settings().max_best_of_n == 16


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--max-best-of-n", "many"), "--max-best-of-n: Input should be a valid integer"),
        (("--max-best-of-n", "0"), "--max-best-of-n: Input should be greater than or equal to 1"),
        (("--max-best-of-n", "4", "--default-best-of-n", "8"), "--default-best-of-n: must not exceed max_best_of_n"),
        (("--gate-judge", "both"), "--gate-judge: Input should be 'policy' or 'reference'"),
        (("--max-best-off", "4"), "max-best-off"),
        (("--headless",), "--headless is not obeyed"),
        (("--api-server-count", "2"), "--api-server-count is not obeyed"),
        (("-asc", "0"), "--api-server-count is not obeyed"),
        (("--grpc",), "--grpc is not obeyed"),
        (("--grpc-port", "9000"), "--grpc-port is not obeyed"),
        (("--data-parallel-multi-port-external-lb",), "--data-parallel-multi-port-external-lb is not obeyed"),
        (("--h11-max-header-count", "9"), "--h11-max-header-count is not obeyed"),
        (("--tokens-only",), "--tokens-only is not obeyed"),
        (("--skip-tokenizer-init",), "--skip-tokenizer-init is not obeyed"),
        (("--runner", "pooling"), "--runner is not obeyed"),
        (("--enable-auto-tool-choice",), "requires --tool-call-parser"),
    ],
)
def test_a_bad_flag_ends_the_command_and_is_named(
    argv: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*argv)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_bad_variable_is_named_as_it_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SELFJUDGE_QUEUE_SECONDS", "0")
    with pytest.raises(SystemExit):
        parse("--max-best-of-n", "4")
    assert "SELFJUDGE_QUEUE_SECONDS: Input should be greater than 0" in capsys.readouterr().err


def test_help_has_every_flag_with_what_it_is_for_and_its_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FlexibleArgumentParser, "_search_keyword", None)  # vLLM leaves it set
    with pytest.raises(SystemExit):
        parse("--help=selfjudge")
    told = " ".join(capsys.readouterr().out.split())
    assert all(
        f"--{name.replace('_', '-')}" in told and field.description for name, field in Flags.model_fields.items()
    )
    assert "--max-best-of-n int Largest `best_of_n` a request may ask for" in told
    assert "(default: 64)" in told
    assert "--api-keys" not in told


def test_keys_move_to_the_guard_of_all_routes() -> None:
    args = parse("--api-key", "one", "two,three", "[four")
    assert args.api_key is None
    assert Settings().api_keys == ("one", "two,three", "[four")


def test_vllms_variable_for_a_key_moves_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "one")
    parse()
    assert Settings().api_keys == ("one",)
    assert "VLLM_API_KEY" not in os.environ


def test_without_a_key_none_is_needed() -> None:
    parse()
    assert Settings().api_keys == ()


def test_our_plugin_is_loaded_beside_an_operators_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_PLUGINS", "theirs")
    parse()
    assert os.environ["VLLM_PLUGINS"] == "theirs,selfjudge"
    parse()
    assert os.environ["VLLM_PLUGINS"] == "theirs,selfjudge"


@pytest.mark.parametrize(
    ("argv", "seconds"), [(("tiny",), 5), (("smollm2",), 60), (("org/model",), 600), (("--watchdog-seconds", "9"), 9)]
)
def test_the_watchdogs_patience_is_that_of_the_model(argv: tuple[str, ...], seconds: float) -> None:
    read_options(argv)
    assert Settings().watchdog_seconds == seconds


@pytest.mark.parametrize(
    ("argv", "seconds", "candidates"),
    [
        (("tiny",), 30, None),
        (("smollm2",), 300, 64),
        (("org/model",), 300, None),
        (("smollm2", "--queue-seconds", "9"), 9, 64),
    ],
)
def test_more_run_and_wait_longer_where_tournaments_take_longer(
    argv: tuple[str, ...], seconds: float, candidates: int | None
) -> None:
    read_options(argv)
    assert (Settings().queue_seconds, Settings().max_candidates) == (seconds, candidates)


def test_what_the_operator_says_about_the_watchdog_goes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFJUDGE_WATCHDOG_SECONDS", "7")
    read_options(())
    assert Settings().watchdog_seconds == 7


def test_one_api_server_is_what_there_is() -> None:
    assert parse("--api-server-count", "1").api_server_count == 1


def test_flags_of_vllm_are_defaults_of_ours_that_do_the_same() -> None:
    parse("--sse-keep-alive-interval", "2", "--shutdown-timeout", "120")
    assert (Settings().heartbeat_seconds, Settings().drain_seconds) == (2, 120)


def test_ours_go_before_those_of_vllm() -> None:
    parse("--sse-keep-alive-interval", "2", "--heartbeat-seconds", "7", "--shutdown-timeout", "5000")
    assert (Settings().heartbeat_seconds, Settings().drain_seconds) == (7, 3600)


def test_lines_of_vllm_that_are_asked_for_are_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_logger, "level", logging.NOTSET)
    parse()
    assert request_logger.level == logging.NOTSET
    parse("--enable-log-requests")
    assert request_logger.level == logging.INFO


# Read by vLLM's `serve` command and its server, whose place is taken here: these are minded, or the engine minds them.
OBEYED = {
    *("model", "model_tag", "host", "port", "uds", "disable_uvicorn_access_log", "uvicorn_log_level"),
    *("ssl_keyfile", "ssl_certfile", "ssl_ca_certs", "ssl_cert_reqs", "ssl_ciphers", "enable_ssl_refresh"),
    *("tool_parser_plugin", "reasoning_parser_plugin", "tool_call_parser", "enable_auto_tool_choice"),
    *("structured_outputs_config", "enable_elastic_ep", "data_parallel_external_lb", "data_parallel_hybrid_lb"),
    *("data_parallel_rank", "data_parallel_size", "data_parallel_size_local", "data_parallel_start_rank"),
}


def test_no_flag_that_vllms_server_reads_is_unknown_here() -> None:
    entrypoints = Path(vllm.__file__).parent / "entrypoints"
    files = ("cli/serve.py", "launchers/api_server/entry.py", "launchers/launcher.py")
    source = "".join((entrypoints / file).read_text() for file in files)
    read = {name for name in vars(parse()) if re.search(rf"\bargs\.{name}\b|getattr\(args, \"{name}\"", source)}
    assert read <= OBEYED | {one.flag for one in REFUSED}
    assert read >= OBEYED


def test_a_store_turns_lora_on() -> None:
    assert not parse().enable_lora
    assert parse("--enable-lora").enable_lora
    assert parse("--adapters-dir", "store", "--adapters-watch").enable_lora
    assert (Settings().adapters_dir, Settings().adapters_watch) == (Path("store"), True)
    assert parse().enable_lora, "the variable, which the flag has set, does the same"
