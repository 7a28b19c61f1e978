"""The real engine is killed, starved of memory and stopped under load; the server goes on, and in the end gives up.

It is the last that this room's server is asked: its files run in the order of their names.
"""

import resource
import signal
from collections.abc import Callable
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
import pytest

from tests.end_to_end.adapted import ADMIN, Adapted
from tests.end_to_end.load import ask, clients
from tests.end_to_end.operated.conftest import MAX_FAILURES
from tests.end_to_end.serving import Server, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LOAD: list[dict[str, Any]] = [
    {"best_of_n": 4},
    {"best_of_n": 4, "stream": True},
    {"best_of_n": 1, "max_tokens": 64},
    {"best_of_n": 1, "stream": True, "model": "chat"},
    {"best_of_n": 2, "model": "chat"},
]


def engine(server: Server) -> psutil.Process:
    """The process that runs the model: the standby's only child."""
    children = psutil.Process(server.process.pid).children()
    (standby,) = [one for one in children if "forkserver" in " ".join(one.cmdline())]
    (found,) = standby.children()
    return found


def is_ready(server: Server) -> bool:
    try:
        return httpx.get(f"{server.url}/ready", timeout=60).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def restarts(server: Server, causes: list[str]) -> float:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    names = tuple(f'selfjudge_engine_restarts_total{{cause="{cause}"}}' for cause in causes)
    return sum(float(line.split()[-1]) for line in lines if line.startswith(names))


def kill(server: Server) -> None:
    engine(server).kill()


def starve(server: Server) -> None:
    """No more memory than it has, and work that needs more: what happens on a machine that is full."""
    resource.prlimit(engine(server).pid, resource.RLIMIT_AS, (2**20, 2**20))
    ask(server, messages=[{"role": "user", "content": "sort these letters " * 100}], best_of_n=64)


def stop(server: Server) -> None:
    engine(server).send_signal(signal.SIGSTOP)


@pytest.mark.parametrize(
    ("harm", "causes"), [(kill, ["killed"]), (starve, ["crashed", "killed", "hung"]), (stop, ["hung"])]
)
def test_requests_get_200_or_503_and_the_server_answers_again_with_its_adapters(
    first_is_active: Adapted, harm: Callable[[Server], None], causes: list[str]
) -> None:
    adapted, server = first_is_active, first_is_active.server
    before = {model: adapted.text(model) for model in ("selfjudge-tiny", "chat")}
    assert len(set(before.values())) == 2
    already = restarts(server, causes)
    with clients(server, LOAD) as outcomes:
        until(lambda: sum(outcome.status == httpx.codes.OK for outcome in outcomes) >= len(LOAD))
        harm(server)
        until(lambda: restarts(server, causes) == already + 1)
        assert not is_ready(server)
        assert httpx.get(f"{server.url}/live").status_code == httpx.codes.OK
        until(lambda: is_ready(server), seconds=200)
        seen = len(outcomes)
        until(lambda: any(outcome.status == httpx.codes.OK for outcome in outcomes[seen:]))
    assert [outcome for outcome in outcomes if not outcome.answered] == []
    assert any(outcome.status == httpx.codes.SERVICE_UNAVAILABLE for outcome in outcomes)
    assert {model: adapted.text(model) for model in before} == before
    (policy,) = httpx.get(f"{server.url}/v1/adapters", headers=ADMIN).json()["data"]
    assert policy["active"] == adapted.versions[0]


def test_after_too_many_failures_in_a_row_the_server_gives_up_in_a_clear_last_line(adapted: Adapted) -> None:
    server, process = adapted.server, adapted.server.process
    family = psutil.Process(process.pid).children(recursive=True)
    for _ in range(2 * MAX_FAILURES):
        engine(server).kill()
        until(lambda: process.poll() is not None or not is_ready(server))
        until(lambda: process.poll() is not None or is_ready(server), seconds=200)
        if process.poll() is not None:
            break
    assert process.poll() == 1
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    last = server.log.read_text().rstrip().splitlines()[-1]
    assert f"gave up: the engine failed {MAX_FAILURES} times in a row" in last
