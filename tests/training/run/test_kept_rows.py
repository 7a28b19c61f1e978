"""Rows in files: shared out among processes, and never read half-written."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from datasets import Features, Value  # type: ignore[import-untyped]  # it ships no py.typed
from selfjudge_training.run.kept_rows import find_rows, make_rows, own_share

FEATURES = Features({"number": Value("int32")})


@pytest.mark.parametrize("processes", [1, 3, 40])
def test_processes_share_the_records_in_order(processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    states = [SimpleNamespace(process_index=number, num_processes=processes) for number in range(processes)]
    shares: list[list[int]] = []
    for state in states:
        monkeypatch.setattr("selfjudge_training.run.kept_rows.processes", lambda state=state: state)
        shares.append(own_share(list(range(17))))
    assert [record for each in shares for record in each] == list(range(17))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_kinds_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    made = make_rows(tmp_path / "rows", FEATURES, {"b": [{"number": 3}], "a": [{"number": 1}, {"number": 2}], "c": []})
    found = find_rows(tmp_path / "rows", begun=True)
    assert found is not None
    assert list(made["number"]) == list(found["number"]) == [1, 2, 3]


def test_rows_of_a_run_that_never_began_are_deleted(tmp_path: Path) -> None:
    make_rows(tmp_path / "rows", FEATURES, {"a": [{"number": 1}]})
    assert find_rows(tmp_path / "rows", begun=False) is None
    assert not (tmp_path / "rows").exists()


def test_what_fails_half_way_leaves_no_rows(tmp_path: Path) -> None:
    def failing() -> Iterator[dict[str, object]]:
        yield {"number": 1}
        raise InterruptedError

    with pytest.raises(InterruptedError):
        make_rows(tmp_path / "rows", FEATURES, {"a": failing()})
    assert find_rows(tmp_path / "rows", begun=True) is None
    assert list(make_rows(tmp_path / "rows", FEATURES, {"a": [{"number": 2}]})["number"]) == [2]
