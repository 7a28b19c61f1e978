"""SIGTERM under load: everything that was accepted is answered, what comes later is refused, and the exit is clean.

Every process of the server gets the signal, as systemd sends it. It is the last that this room's server is asked: its
files run in the order of their names.
"""

import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
import pytest

from tests.end_to_end.load import ask
from tests.end_to_end.serving import Server, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# There is room for all at once, so that the long one is under way too.
TOURNAMENTS = 4
SHORT = {"best_of_n": 8, "max_tokens": 128, "ignore_eos": True}
LONG = {"best_of_n": 64, "max_tokens": 400, "ignore_eos": True, "stream": True}


def under_way(url: str) -> int:
    """Tournaments that run, and requests that wait for admission."""
    names = ("selfjudge_tournaments_running ", "selfjudge_queue_length ")
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return int(sum(float(line.split()[1]) for line in lines if line.startswith(names)))


def stop_all(pid: int) -> None:
    server = psutil.Process(pid)
    for process in (*server.children(recursive=True), server):
        process.send_signal(signal.SIGTERM)


def test_what_was_accepted_is_finished_and_a_second_signal_ends_the_rest_with_an_answer(server: Server) -> None:
    url, family = server.url, psutil.Process(server.process.pid).children(recursive=True)
    with ThreadPoolExecutor(TOURNAMENTS + 1) as pool:
        streams = [bool(index % 2) for index in range(TOURNAMENTS)]
        accepted = [pool.submit(ask, server, **SHORT, stream=stream) for stream in streams]
        long = pool.submit(ask, server, **LONG)
        until(lambda: under_way(url) == TOURNAMENTS + 1)
        stop_all(server.process.pid)

        until(lambda: httpx.get(f"{url}/ready").status_code == httpx.codes.SERVICE_UNAVAILABLE)
        assert httpx.get(f"{url}/live").is_success
        with server.http() as client:
            refused = client.post("/v1/chat/completions", json={"messages": [], "best_of_n": 2})
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert (refused.headers["Retry-After"], refused.headers["Connection"]) == ("1", "close")

        outcomes = [one.result() for one in accepted]
        assert [outcome for outcome in outcomes if not (outcome.status == httpx.codes.OK and outcome.answered)] == []
        assert not any('"error"' in outcome.text for outcome in outcomes)

        assert not long.done(), long.result()
        stop_all(server.process.pid)
        assert long.result().answered
        assert '"code": 503' in long.result().text
    assert server.process.wait(timeout=60) == 0
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    assert server.log.read_text().rstrip().splitlines()[-1].endswith("stopped")
