"""The queue and the thread between requests and the disk."""

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selfjudge_service.observability.tournament_log import BracketLog, Parts, open_log
from selfjudge_service.settings import Settings
from typing_extensions import override

from tests.service.conftest import Counter


class StuckParts(Parts):
    """A disk that hangs until it is told to go on."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 10**6)
        self.goes_on = threading.Event()
        self.reached = threading.Event()

    @override
    def append(self, line: bytes) -> None:
        self.reached.set()
        assert self.goes_on.wait(10)
        super().append(line)


def numbered(number: int) -> Callable[[], dict[str, Any]]:
    return lambda: {"number": number}


def logged(folder: Path) -> list[int]:
    texts = [path.read_text() for path in sorted(folder.glob("*.jsonl"))]
    return [json.loads(line)["number"] for text in texts for line in text.splitlines()]


def test_what_is_offered_is_written_in_order(tmp_path: Path, counted: Counter) -> None:
    log = BracketLog(Parts(tmp_path, 10**6), 1.0)
    for number in range(100):
        log.offer(numbered(number), store=None if number % 2 else True)
    log.close()
    assert logged(tmp_path) == list(range(100))
    assert counted("selfjudge_brackets_total", outcome="written") == 100


def test_a_request_can_opt_out(tmp_path: Path, counted: Counter) -> None:
    log = BracketLog(Parts(tmp_path, 10**6), 1.0)
    log.offer(numbered(1), store=False)
    log.close()
    assert logged(tmp_path) == []
    assert counted("selfjudge_brackets_total", outcome="opted_out") == 1


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.25, 150, 350), (1.0, 1000, 1000)])
def test_a_share_is_drawn(tmp_path: Path, counted: Counter, share: float, least: int, most: int) -> None:
    log = BracketLog(Parts(tmp_path, 10**6), share, queue_length=1000)
    for number in range(1000):
        log.offer(numbered(number), store=None)
    log.close()
    assert least <= len(logged(tmp_path)) <= most
    assert counted("selfjudge_brackets_total", outcome="not_sampled") == 1000 - len(logged(tmp_path))


def test_a_disk_that_hangs_holds_nobody_up(tmp_path: Path, counted: Counter, caplog: pytest.LogCaptureFixture) -> None:
    parts = StuckParts(tmp_path)
    log = BracketLog(parts, 1.0, queue_length=3)
    log.offer(numbered(0), store=None)
    assert parts.reached.wait(10)
    for number in range(1, 10):
        log.offer(numbered(number), store=None)
    assert counted("selfjudge_brackets_total", outcome="queue_full") == 6
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    parts.goes_on.set()
    log.close()
    assert logged(tmp_path) == [0, 1, 2, 3]


def test_a_full_folder_and_a_lost_disk_are_counted_and_told_once(
    tmp_path: Path, counted: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "log"
    log = BracketLog(Parts(folder, 20), 1.0)
    for _ in range(3):
        log.offer(numbered(1), store=None)
    log.offer(lambda: {"number": float("nan")}, store=None)
    log.offer(lambda: {"number": dict[str, int]()["lost"]}, store=None)
    log.offer(numbered(1), store=None)
    log.close()
    assert counted("selfjudge_brackets_total", outcome="written") == 1
    assert counted("selfjudge_brackets_total", outcome="log_full") == 3
    assert counted("selfjudge_brackets_total", outcome="error") == 2
    assert [record.message.partition(";")[0] for record in caplog.records] == [
        "a bracket is not logged: bracket_log_max_mib is reached",
        "a bracket is not logged: ValueError: Out of range float values are not JSON compliant",
    ]


def test_a_folder_deleted_meanwhile_is_an_error_and_no_end(tmp_path: Path, counted: Counter) -> None:
    folder = tmp_path / "log"
    log = BracketLog(Parts(folder, 10**6), 1.0)
    (folder / ".lock").unlink()
    folder.rmdir()
    log.offer(numbered(1), store=None)
    log.close()
    assert counted("selfjudge_brackets_total", outcome="error") == 1


def test_there_is_no_log_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert open_log(Settings()) is None
    log = open_log(Settings(bracket_log=tmp_path / "log"))
    assert log
    log.close()
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"^bracket_log: must be a folder that can be written to: .*file"):
        open_log(Settings(bracket_log=tmp_path / "file"))
