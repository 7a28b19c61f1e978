"""Rows that a killed run leaves behind."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from selfjudge_training.run.config import ConfigError

from experiments.smollm2.evidence.kept import KeptRow, keep, read_kept


class Length(KeptRow):
    """Of a key."""

    length: int


def measure(path: Path, keys: list[str], made: list[str]) -> dict[str, Length]:
    def make(some: list[str]) -> list[Length]:
        made.extend(some)
        return [Length(key=key, length=len(key)) for key in some]

    return keep(path, Length, {"by": "len"}, keys, 2, make)


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    path, made = tmp_path / "some" / "lengths.jsonl", list[str]()
    measure(path, ["a", "bb", "ccc"], made)
    found = measure(path, ["dddd", "a", "ccc"], made)
    assert made == ["a", "bb", "ccc", "dddd"]
    assert {key: row.length for key, row in found.items()} == {"dddd": 4, "a": 1, "ccc": 3}
    assert list(read_kept(path, Length)) == ["a", "bb", "ccc", "dddd"]


def test_a_line_that_was_being_written_is_made_again(tmp_path: Path) -> None:
    path, made = tmp_path / "lengths.jsonl", list[str]()
    measure(path, ["a", "bb"], made)
    path.write_text(path.read_text()[:-4])
    assert list(read_kept(path, Length)) == ["a"]
    measure(path, ["a", "bb"], made)
    assert made == ["a", "bb", "bb"]
    assert list(read_kept(path, Length)) == ["a", "bb"]


def test_a_malformed_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lengths.jsonl"
    measure(path, ["a", "bb"], [])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "{", lines[2], ""]))
    with pytest.raises(ValidationError):
        read_kept(path, Length)


def test_rows_that_were_made_otherwise_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "lengths.jsonl"
    measure(path, ["a"], [])
    with pytest.raises(ConfigError, match=r"lengths\.jsonl was measured by .*delete it"):
        keep(path, Length, {"by": "another"}, ["a"], 1, lambda _: [])
