"""What somebody sees who starts the server."""

import time

from tests.end_to_end.serving import Server


def test_start_up_prints_one_line_a_step_and_at_the_end_a_request_to_try(server: Server) -> None:
    deadline = time.monotonic() + 10
    while "curl " not in server.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)  # it is printed just after the port opens
    steps, request = server.log.read_text().split("\n\ncurl ", maxsplit=1)
    reading, loading, ready = steps.splitlines()
    assert reading.startswith("selfjudge: selfjudge ")
    assert loading.startswith("selfjudge: loading ")
    assert ready.startswith("selfjudge: ready after ")
    assert f" at {server.url}; try:" in ready
    assert request.startswith(f"{server.url}/v1/chat/completions ")
    assert '"best_of_n": 8' in request
