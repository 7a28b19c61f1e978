"""vLLM's engine client, with an engine that can be replaced under it.

vLLM's handlers, our judge and adapters keep the client: only the engine's process and the connection to it are made
anew. Counters, tokenizers and caches of this process stay. When to replace is the supervisor's to decide.
"""

import asyncio
import copy
from argparse import Namespace
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, Literal, cast

from typing_extensions import override
from vllm.config import ModelConfig, VllmConfig
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.exceptions import GracefulHTTPError
from vllm.model_executor.model_loader.utils import get_model_cls
from vllm.model_executor.models import supports_lora
from vllm.outputs import RequestOutput
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.core_client import AsyncMPClient, EngineCoreClient
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError
from vllm.v1.engine.utils import CoreEngineProcManager
from vllm.v1.executor import Executor

from selfjudge.errors import AdapterError
from selfjudge_service.engine.standby import kill_engines, start_standby

# How long the remains of a killed engine may take to vanish before they are left behind.
_REMAINS_SECONDS = 10


class EngineDownError(GracefulHTTPError):
    """The engine ended before it had answered: a 503, or an error event where a stream has begun."""

    def __init__(self) -> None:
        super().__init__("the engine ended before it had answered: try again", HTTPStatus.SERVICE_UNAVAILABLE)


class ReplaceableEngine(AsyncLLM):
    """vLLM's engine client over an engine of its own process, which can be replaced."""

    def __init__(
        self,
        vllm_config: VllmConfig,
        executor_class: type[Executor],
        log_stats: bool,
        **options: Any,  # noqa: ANN401
    ) -> None:
        # A start adds what it finds out to the configuration: the next one begins with this.
        self._original = copy.deepcopy(vllm_config)
        self._executor_class = executor_class
        super().__init__(vllm_config, executor_class, log_stats, **options)

    @override
    async def generate(self, *args: Any, **kwargs: Any) -> AsyncGenerator[RequestOutput, None]:
        """See vLLM's.

        Raises:
            EngineDownError: if the engine ends before the request is done.
        """
        core = self.engine_core
        try:
            async with aclosing(super().generate(*args, **kwargs)) as outputs:
                async for output in outputs:
                    yield output
        except (EngineDeadError, EngineGenerateError) as error:
            if core is self.engine_core and not self.errored:
                raise
            raise EngineDownError from error

    @property
    def how_it_ended(self) -> Literal["killed", "crashed"]:
        """Whether a signal has ended the engine's process, as the kernel does without memory, or it itself."""
        manager = self._core.resources.engine_manager
        processes = manager.processes if isinstance(manager, CoreEngineProcManager) else []
        return "killed" if any((process.exitcode or 0) < 0 for process in processes) else "crashed"

    async def end(self) -> None:
        """Kills the engine, if it still lives, and fails all calls that wait for it."""
        core = self._core
        core.resources.engine_dead = True
        kill_engines()
        if self.output_handler:
            self.output_handler.cancel()
        self.output_processor.propagate_error(EngineDeadError())
        self.output_processor.abort_requests(list(self.output_processor.request_states), internal=True)
        for answer in core.utility_results.values():
            if not answer.done():
                answer.set_exception(EngineDeadError())
        await asyncio.to_thread(core.shutdown, timeout=_REMAINS_SECONDS)

    async def replace(self) -> None:
        """Starts another engine in place of one that has been ended.

        Raises:
            Exception: whatever keeps vLLM's engine from starting.
        """
        start_standby()
        starting = asyncio.to_thread(
            EngineCoreClient.make_async_mp_client,
            copy.deepcopy(self._original),
            self._executor_class,
            self.log_stats,
            renderer=self.renderer,
        )
        try:
            self.engine_core = await starting
        except asyncio.CancelledError:
            # The thread waits for the process that it has started, and the program for the thread.
            kill_engines()
            raise
        self.output_handler = None
        self._run_output_handler()  # type: ignore[no-untyped-call]  # vLLM's
        await self.reset_mm_cache()

    @property
    def _core(self) -> AsyncMPClient:
        return cast("AsyncMPClient", self.engine_core)


async def start_engine(args: Namespace) -> ReplaceableEngine:
    """Starts an engine by vLLM's options, as vLLM's own server does. Blocks until it is up.

    Raises:
        AdapterError: if adapters are wanted and the model takes none.
        Exception: whatever keeps vLLM's engine from starting.
    """
    engine_args = AsyncEngineArgs.from_cli_args(args)
    config = engine_args.create_engine_config(usage_context=UsageContext.OPENAI_API_SERVER)
    if config.lora_config is not None:
        _require_lora(config.model_config)
    # After vLLM has looked at the options, because it puts into the environment what its processes must find there.
    start_standby()
    engine = ReplaceableEngine.from_vllm_config(
        config,
        usage_context=UsageContext.OPENAI_API_SERVER,
        enable_log_requests=engine_args.enable_log_requests,
        aggregate_engine_logging=engine_args.aggregate_engine_logging,
        disable_log_stats=engine_args.disable_log_stats,
    )
    await engine.reset_mm_cache()
    return cast("ReplaceableEngine", engine)


def _require_lora(model: ModelConfig) -> None:
    """Raises AdapterError where vLLM's implementation of a model takes no adapters: the engine would end over it."""
    found = get_model_cls(model)
    if not supports_lora(found):
        raise AdapterError(
            "unsupported",
            f"vLLM's {found.__name__} takes no LoRA adapters: leave --adapters-dir and --enable-lora out, or serve a "
            "model that takes them",
        )
