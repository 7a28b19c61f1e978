"""The plugin of vLLM's OpenAI server (`vllm.endpoint_plugins`): our routes, our guards, and the state they need.

With `VLLM_PLUGINS=selfjudge` any vLLM server gets them; `selfjudge-serve` sets that by itself.
"""

import asyncio
import os
from argparse import Namespace
from typing import TYPE_CHECKING, cast

from fastapi import APIRouter, FastAPI
from starlette.datastructures import State
from vllm.engine.protocol import EngineClient
from vllm.tasks import SupportedTask

from selfjudge_service.adapters.start import start_adapters
from selfjudge_service.admission.admission import Admission
from selfjudge_service.admission.queue import limits_for
from selfjudge_service.api import adapter_routes, chat_route, judge_route, models_route, probes, rank_route
from selfjudge_service.api.route import Route
from selfjudge_service.background import Background
from selfjudge_service.best_of_n.judging.judge import Judge
from selfjudge_service.best_of_n.judging.label_reads import EngineReader
from selfjudge_service.best_of_n.sampler import Sampler
from selfjudge_service.middleware.auth import ApiKeyMiddleware
from selfjudge_service.middleware.body_limit import BodyLimitMiddleware
from selfjudge_service.middleware.overload import OverloadMiddleware
from selfjudge_service.middleware.request_log import RequestLogMiddleware
from selfjudge_service.middleware.vllm_routes import VllmRoutesMiddleware
from selfjudge_service.observability import logs, metrics
from selfjudge_service.observability.tournament_log import open_log
from selfjudge_service.observability.tracing import start_tracing
from selfjudge_service.preference import preferred_method
from selfjudge_service.protocol.error_handlers import answer_errors
from selfjudge_service.settings import Settings
from selfjudge_service.state import SelfJudgeState

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BYTES_PER_MIB = 2**20

# Routes of ours that work in the engine.
_WORKING = (chat_route.router, judge_route.router, rank_route.router)


class SelfJudgePlugin:
    """Selection and judging for vLLM's OpenAI server."""

    name = "selfjudge"
    required_tasks: tuple[SupportedTask, ...] | None = ("generate",)

    def attach_router(self, app: FastAPI) -> None:
        """Adds our routes, which replace vLLM's of the same path and method, and our guards."""
        settings = Settings()
        for router in (*_WORKING, models_route.router, adapter_routes.router, probes.router):
            app.include_router(router)
        app.state.bracket_log = open_log(settings)
        app.state.background = Background()
        answer_errors(app)
        app.add_middleware(VllmRoutesMiddleware)
        app.add_middleware(OverloadMiddleware, routes=_paths(*_WORKING))
        app.add_middleware(BodyLimitMiddleware, max_bytes=int(settings.max_body_mib * _BYTES_PER_MIB))
        keys = settings.api_keys or app.state.args.api_key or [os.environ.get("VLLM_API_KEY", "")]
        if keys := [key for key in keys if key]:
            app.add_middleware(ApiKeyMiddleware, keys=[*keys, *settings.admin_keys])
        logs.for_plugin()
        start_tracing(settings.otlp_endpoint, vllm_traces=bool(app.state.args.otlp_traces_endpoint))
        # Last, and so around all others: refusals are told too.
        app.add_middleware(RequestLogMiddleware)

    async def init_state(self, engine_client: EngineClient | None, state: State, args: Namespace) -> None:  # noqa: ARG002  vLLM's interface
        """Builds what the routes share and warms the judge up, before the server is healthy.

        Raises:
            SelfJudgeError: if the served model can't judge by the default template, or adapters can't be served on it,
                saying why.
        """
        if engine_client is None:
            raise RuntimeError("selfjudge needs an engine: don't load it into vLLM's render-only server")
        settings = Settings()
        tokenizer = cast("PreTrainedTokenizerBase", engine_client.renderer.tokenizer)
        config = engine_client.model_config
        handler = state.openai_serving_chat
        judge = Judge(
            tokenizer,
            EngineReader(engine_client),
            settings,
            config.max_model_len,
            handler.chat_template,
            handler.default_chat_template_kwargs,
        )
        method = settings.method or preferred_method(config.hf_config) or "tournament"
        sampling_defaults = config.get_diff_sampling_param()
        await judge.warm_up()
        if method == "score":
            await judge.in_place.warm_up()
        models, adapting, sampler = state.openai_serving_models, None, Sampler(handler)
        if settings.adapters_dir:
            adapting = await start_adapters(
                settings.adapters_dir, settings, engine_client, models, judge, sampler, state.background
            )
        # Requests may be in flight across a restart of the engine.
        served: SelfJudgeState | None = getattr(state, "selfjudge", None)
        admission = served.admission if served else Admission(limits_for(settings, engine_client.vllm_config))
        loop = asyncio.get_running_loop()
        metrics.LOOP_TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))
        state.selfjudge = SelfJudgeState(
            settings, judge, sampler, models, sampling_defaults, admission, method, adapting, state.bracket_log
        )


def _paths(*routers: APIRouter) -> list[str]:
    return [route.path for router in routers for route in router.routes if isinstance(route, Route)]
