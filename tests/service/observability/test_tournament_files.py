"""Lines in parts of a folder: none lost, none torn, and never more than the cap."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selfjudge_service.observability.tournament_log import PARTS, FolderFullError, Parts

LINE = b"x" * 99 + b"\n"


def held(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def lines(folder: Path) -> list[bytes]:
    return [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines(keepends=True)]


def fill(parts: Parts, lengths: list[int]) -> Iterator[bytes]:
    """Appends lines of these lengths; those that had room."""
    for number, length in enumerate(lengths):
        line = b"%d:" % number + b"x" * length + b"\n"
        try:
            parts.append(line)
        except FolderFullError:
            continue
        yield line


@given(lengths=st.lists(st.integers(0, 900), max_size=60))
def test_the_cap_holds_and_nothing_written_is_lost(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int]
) -> None:
    folder, cap = tmp_path_factory.mktemp("log"), 8000
    parts = Parts(folder, cap)
    written = list(fill(parts, lengths))
    assert held(folder) <= cap
    assert sorted(lines(folder)) == sorted(written)
    if sum(map(len, written)) < sum(lengths):
        assert held(folder) > cap - 1000


def test_parts_have_a_sixteenth_of_the_cap_each(tmp_path: Path) -> None:
    parts = Parts(tmp_path, 160 * len(LINE))
    for _ in range(160):
        parts.append(LINE)
    assert {path.stat().st_size for path in tmp_path.glob("*.jsonl")} == {10 * len(LINE)}
    assert len(list(tmp_path.glob("*.jsonl"))) == PARTS
    with pytest.raises(FolderFullError):
        parts.append(LINE)


def test_a_line_longer_than_a_part_has_one_of_its_own(tmp_path: Path) -> None:
    parts = Parts(tmp_path, 10 * len(LINE))
    parts.append(LINE)
    parts.append(LINE)
    assert len(list(tmp_path.glob("*.jsonl"))) == 2


def test_taking_parts_away_makes_room_and_is_not_undone(tmp_path: Path) -> None:
    folder, archive = tmp_path / "log", tmp_path / "archive"
    archive.mkdir()
    parts = Parts(folder, 16 * len(LINE))
    for _ in range(3):
        taken = list(fill(parts, [50] * 100))
        for path in folder.glob("*.jsonl"):
            assert not (archive / path.name).exists()
            path.rename(archive / path.name)
        assert lines(archive)[-1] in taken
    assert held(archive) == sum(map(len, lines(archive)))
    assert held(archive) > 2 * 16 * len(LINE)


def test_a_new_process_begins_a_new_part_behind_a_torn_line(tmp_path: Path) -> None:
    (tmp_path / "brackets-20260101T000000Z-00000000.jsonl").write_bytes(LINE + b'{"torn')
    Parts(tmp_path, 10_000).append(LINE)
    assert lines(tmp_path) == [LINE, b'{"torn', LINE]


def test_several_writers_share_the_cap(tmp_path: Path) -> None:
    writers = [Parts(tmp_path, 64 * len(LINE)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        written = sum(pool.map(lambda parts: sum(1 for _ in fill(parts, [90] * 40)), writers))
    assert held(tmp_path) <= 64 * len(LINE)
    assert len(lines(tmp_path)) == written
    assert all(line.endswith(b"x\n") for line in lines(tmp_path))


def test_a_write_that_fails_half_way_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    parts = Parts(tmp_path, 10**6)
    parts.append(LINE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        # The system writes what fits below the limit, and refuses the rest.
        resource.setrlimit(resource.RLIMIT_FSIZE, (150, before[1]))
        with pytest.raises(OSError, match="too large"):
            parts.append(LINE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert lines(tmp_path) == [LINE]
    parts.append(LINE)
    assert lines(tmp_path) == [LINE, LINE]


WRITER = """
import sys
from pathlib import Path
from selfjudge_service.observability.tournament_log import Parts
parts, number = Parts(Path(sys.argv[1]), 2**30), 0
while True:
    parts.append(b"%d:" % number + b"x" * 200_000 + b"\\n")
    print(number, flush=True)
    number += 1
"""


def test_killed_at_any_moment_at_most_the_last_line_is_torn(tmp_path: Path) -> None:
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout
        told = [int(next(writer.stdout)) for _ in range(40)]
        os.kill(writer.pid, signal.SIGKILL)
        told += [int(line) for line in writer.stdout.read().split()]
        writer.stdout.close()
        writer.wait()
        found = lines(tmp_path)
        whole = [line for line in found if line.endswith(b"\n")]
        assert len(found) - len(whole) <= 1
        assert {len(line.partition(b":")[2]) for line in whole} == {200_001}
        assert {int(line.partition(b":")[0]) for line in whole} >= set(told)
        for path in tmp_path.glob("*.jsonl"):
            path.unlink()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Parts(tmp_path / "file" / "log", 1000)
