"""vLLM's application on an HTTP server that outlives its engine and drains before it ends.

Takes the place of vLLM's `run_server`, which shuts down when the engine dies and stops the engine before HTTP. The
application, its state and every option are vLLM's.
"""

import asyncio
import signal
import time
from argparse import Namespace
from collections.abc import Callable
from socket import socket
from typing import TYPE_CHECKING, Never

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.datastructures import State
from starlette.middleware import Middleware
from typing_extensions import override
from vllm import envs
from vllm.entrypoints.launchers.api_server.app_state import init_app_state
from vllm.entrypoints.launchers.app import build_app
from vllm.entrypoints.launchers.launcher import NoSignalServer, setup_server
from vllm.entrypoints.launchers.utils.server_utils import get_uvicorn_log_config
from vllm.entrypoints.serve import create_error_response
from vllm.utils.system_utils import decorate_logs
from vllm.v1.engine.exceptions import EngineDeadError

from selfjudge_service.adapters.start import restore
from selfjudge_service.background import Background
from selfjudge_service.engine.replaceable_engine import ReplaceableEngine, start_engine
from selfjudge_service.engine.status import Status
from selfjudge_service.engine.supervisor import Supervisor
from selfjudge_service.middleware.availability import AvailabilityMiddleware, UnderWay
from selfjudge_service.middleware.body_limit import BodyLimitMiddleware
from selfjudge_service.observability import logs
from selfjudge_service.protocol.error_handlers import answer_errors
from selfjudge_service.protocol.errors import UnavailableError, api_error_response
from selfjudge_service.server import certificates
from selfjudge_service.server.connections import connections
from selfjudge_service.server.shutdown import Signals, drain
from selfjudge_service.settings import Settings

if TYPE_CHECKING:
    from selfjudge_service.state import SelfJudgeState

# Connections that only read, or whose client reads nothing, are cut after that.
_CUT_AFTER_SECONDS = 5


async def serve(args: Namespace, announce: Callable[[], None]) -> None:
    """Serves until told to stop.

    Args:
        args: vLLM's options.
        announce: called when the server accepts connections.

    Raises:
        EngineLostError: if the engine has failed too often.
        SelfJudgeError: if the model can't judge.
        KeyboardInterrupt: if told to stop before it serves.
    """
    decorate_logs("APIServer", skip_if_decorated=True)
    signal.signal(signal.SIGTERM, _interrupt)
    _, sock = setup_server(args, reuse_port=False)
    with sock:
        started = time.monotonic()
        engine = await start_engine(args)
        try:
            await _Server(args, engine, sock, announce).run(time.monotonic() - started)
        finally:
            engine.shutdown(timeout=engine.vllm_config.shutdown_timeout)


class _HttpServer(NoSignalServer):
    """vLLM's HTTP server, which says when it accepts connections."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    @override
    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


class _Server:
    def __init__(self, args: Namespace, engine: ReplaceableEngine, sock: socket, announce: Callable[[], None]) -> None:
        self._args = args
        self._announce = announce
        self._engine = engine
        self._sock = sock
        self._status = Status()
        self._under_way = UnderWay()

    async def run(self, start_seconds: float) -> None:
        app = await self._application()
        settings = Settings()
        supervisor = Supervisor(
            self._engine,
            self._status,
            lambda: _restore(self._engine, app.state),
            watchdog_seconds=settings.watchdog_seconds,
            max_failures=settings.max_engine_failures,
            start_seconds=start_seconds,
        )
        config = _uvicorn_config(app, self._args)
        app.state.server = server = _HttpServer(config, self._announce)
        # vLLM takes the application's state away when HTTP ends.
        background: Background = app.state.background
        _refresh_certificates(config, self._args, background)
        signals = Signals()
        serving = asyncio.create_task(server.serve(sockets=[self._sock]))
        supervising = asyncio.create_task(supervisor.run())
        stopping = asyncio.create_task(signals.stop.wait())
        self._status.engine_is_up()
        await asyncio.wait((serving, supervising, stopping), return_when=asyncio.FIRST_COMPLETED)
        lost = supervising.done()
        supervising.cancel()
        stopping.cancel()
        await drain(self._status, self._under_way, signals.hurry, 0 if lost else settings.drain_seconds)
        server.should_exit = True
        await serving
        background.stop()
        if lost:
            await supervising

    async def _application(self) -> FastAPI:
        tasks = await self._engine.get_supported_tasks()
        app = build_app(self._args, tasks, self._engine.model_config)
        logs.keep_warnings()
        # Inside of what authenticates and logs, so that refusals are too; outside of admission.
        classes: list[object] = [middleware.cls for middleware in app.user_middleware]
        outside = classes.index(BodyLimitMiddleware)
        app.user_middleware.insert(
            outside + 1, Middleware(AvailabilityMiddleware, status=self._status, under_way=self._under_way)
        )
        answer_errors(app)
        app.add_exception_handler(EngineDeadError, self._engine_is_dead)
        # vLLM has built it already.
        app.middleware_stack = app.build_middleware_stack()
        app.state.status = self._status
        await init_app_state(self._engine, app.state, self._args, tasks)
        return app

    async def _engine_is_dead(self, _request: Request, error: Exception) -> Response:
        """Answers requests that asked the engine for something else than tokens."""
        told = create_error_response(error).error.message
        return api_error_response(self._status.refusal() or UnavailableError(f"{told}: try again", 1))


async def _restore(engine: ReplaceableEngine, state: State) -> None:
    served: SelfJudgeState = state.selfjudge
    await served.judge.warm_up()
    if served.adapting:
        await restore(served.adapting, engine, state.openai_serving_models, served.judge)


def _uvicorn_config(app: FastAPI, args: Namespace) -> uvicorn.Config:
    """As vLLM's `build_and_serve` and `serve_http` have it."""
    config = uvicorn.Config(
        app,
        http=connections(Settings().client_seconds),
        host=args.host,
        port=args.port,
        log_level=args.uvicorn_log_level,
        log_config=get_uvicorn_log_config(args) or uvicorn.config.LOGGING_CONFIG,
        access_log=not args.disable_uvicorn_access_log,
        timeout_keep_alive=envs.VLLM_HTTP_TIMEOUT_KEEP_ALIVE,
        timeout_graceful_shutdown=_CUT_AFTER_SECONDS,
        ssl_keyfile=args.ssl_keyfile,
        ssl_certfile=args.ssl_certfile,
        ssl_ca_certs=args.ssl_ca_certs,
        ssl_cert_reqs=args.ssl_cert_reqs,
        ssl_ciphers=args.ssl_ciphers,
    )
    config.load()
    return config


def _refresh_certificates(config: uvicorn.Config, args: Namespace, background: Background) -> None:
    if args.enable_ssl_refresh and config.ssl:
        files = certificates.Files(args.ssl_certfile, args.ssl_keyfile, args.ssl_ca_certs)
        renewed = certificates.Certificates(config.ssl, files)
        background.every(certificates.SECONDS, "certificates", renewed.refresh)


def _interrupt(*_: object) -> Never:
    raise KeyboardInterrupt
