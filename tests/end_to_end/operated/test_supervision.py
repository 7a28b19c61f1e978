"""The real engine is killed, starved of memory and stopped under load; the server goes on, and in the end gives up."""

import resource
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
import pytest

from selfjudge.adapters.store import Store
from tests.end_to_end.load import ask, clients
from tests.end_to_end.serving import Server, serving
from tests.service.adapters.files import publish

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MAX_FAILURES = 5
ENVIRONMENT = {"SELFJUDGE_ADMIN_KEYS": "admin"}
FLAGS = ("--max-engine-failures", str(MAX_FAILURES), "--watchdog-seconds", "5")
LOAD: list[dict[str, Any]] = [
    {"best_of_n": 4},
    {"best_of_n": 4, "stream": True},
    {"best_of_n": 1, "max_tokens": 64},
    {"best_of_n": 1, "stream": True, "model": "chat"},
    {"best_of_n": 2, "model": "chat"},
]


class Supervised(NamedTuple):
    """A server on a store with two versions of one policy, the first of which is active."""

    server: Server
    process: psutil.Process
    version: str

    def engine(self) -> psutil.Process:
        """The process that runs the model: the standby's only child."""
        (standby,) = [one for one in self.process.children() if "forkserver" in " ".join(one.cmdline())]
        (engine,) = standby.children()
        return engine

    def text(self, model: str) -> str:
        answer = ask(self.server.url, model=model, temperature=0, max_tokens=16)
        assert answer.status == httpx.codes.OK, answer
        return str(httpx.Response(200, text=answer.text).json()["choices"][0]["message"]["content"])

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.server.url}/ready", timeout=60).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def restarts(self, cause: str) -> float:
        lines = httpx.get(f"{self.server.url}/metrics").text.splitlines()
        name = f'selfjudge_engine_restarts_total{{cause="{cause}"}}'
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


@pytest.fixture(scope="module")
def supervised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    folder = tmp_path_factory.mktemp("supervised")
    store = Store(folder / "store")
    first, second = (publish(store, "chat", seed, scale=0.3).version for seed in (1, 2))
    with serving(folder / "log", *FLAGS, "--adapters-dir", str(store.root), environment=ENVIRONMENT) as server:
        for version in (second, first):
            httpx.post(
                f"{server.url}/v1/adapters/chat/activate",
                json={"version": version},
                headers={"Authorization": "Bearer admin"},
                timeout=60,
            ).raise_for_status()
        yield Supervised(server, psutil.Process(server.process.pid), first)


def until(condition: Callable[[], bool], seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def kill(supervised: Supervised) -> None:
    supervised.engine().kill()


def starve(supervised: Supervised) -> None:
    """No more memory than it has, and work that needs more: what happens on a machine that is full."""
    resource.prlimit(supervised.engine().pid, resource.RLIMIT_AS, (2**20, 2**20))
    ask(supervised.server.url, messages=[{"role": "user", "content": "sort these letters " * 100}], best_of_n=64)


def stop(supervised: Supervised) -> None:
    supervised.engine().send_signal(signal.SIGSTOP)


@pytest.mark.parametrize(
    ("harm", "causes"), [(kill, ["killed"]), (starve, ["crashed", "killed", "hung"]), (stop, ["hung"])]
)
def test_requests_get_200_or_503_and_the_server_answers_again_with_its_adapters(
    supervised: Supervised, harm: Callable[[Supervised], None], causes: list[str]
) -> None:
    before = {model: supervised.text(model) for model in ("selfjudge-tiny", "chat")}
    assert len(set(before.values())) == 2
    restarts, url = sum(map(supervised.restarts, causes)), supervised.server.url
    with clients(url, LOAD) as outcomes:
        until(lambda: sum(outcome.status == httpx.codes.OK for outcome in outcomes) >= len(LOAD))
        harm(supervised)
        until(lambda: sum(map(supervised.restarts, causes)) == restarts + 1)
        assert not supervised.is_ready()
        assert httpx.get(f"{url}/live").status_code == httpx.codes.OK
        until(supervised.is_ready)
        seen = len(outcomes)
        until(lambda: any(outcome.status == httpx.codes.OK for outcome in outcomes[seen:]))
    assert [outcome for outcome in outcomes if not outcome.answered] == []
    assert any(outcome.status == httpx.codes.SERVICE_UNAVAILABLE for outcome in outcomes)
    assert {model: supervised.text(model) for model in before} == before
    (policy,) = httpx.get(f"{url}/v1/adapters", headers={"Authorization": "Bearer admin"}).json()["data"]
    assert policy["active"] == supervised.version


def test_after_too_many_failures_in_a_row_the_server_gives_up_in_a_clear_last_line(supervised: Supervised) -> None:
    family, process = supervised.process.children(recursive=True), supervised.server.process
    for _ in range(2 * MAX_FAILURES):
        supervised.engine().kill()
        until(lambda: process.poll() is not None or not supervised.is_ready())
        until(lambda: process.poll() is not None or supervised.is_ready())
        if process.poll() is not None:
            break
    assert process.poll() == 1
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    last = supervised.server.log.read_text().rstrip().splitlines()[-1]
    assert f"gave up: the engine failed {MAX_FAILURES} times in a row" in last
