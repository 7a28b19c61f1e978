"""Rows of files and data sets, with their lines, and what is said where they cannot be read."""

import gzip
import json
from pathlib import Path

import pytest
from datasets import Dataset  # type: ignore[import-untyped]  # it carries no types
from pydantic import TypeAdapter, ValidationError
from selfjudge_training.data.rows import Row, read_rows, validated
from selfjudge_training.data.source import DataError, MalformedRowError, Source

ROWS = [{"prompt": "Räuber?", "chosen": "yes", "rejected": "no"}, {"prompt": "b", "chosen": "c", "rejected": "d"}]


def source(path: Path) -> Source:
    return Source(format="preferences", path=path)


def value(row: Row) -> object:
    return validated(row, TypeAdapter(object))


def problem(row: Row) -> str:
    with pytest.raises(MalformedRowError) as raised:
        value(row)
    return str(raised.value)


def write(path: Path, text: bytes) -> Source:
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return source(path)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_lines_are_counted_with_blank_ones(tmp_path: Path, name: str) -> None:
    text = f"\n{json.dumps(ROWS[0], ensure_ascii=False)}\n\n{json.dumps(ROWS[1])}\n"
    rows = list(read_rows(write(tmp_path / name, text.encode())))
    assert list(map(value, rows)) == ROWS
    assert [row.line for row in rows] == [2, 4]


@pytest.mark.parametrize("name", ["rows.json", "rows.json.gz"])
def test_elements_of_an_array_have_the_lines_on_which_they_begin(tmp_path: Path, name: str) -> None:
    rows = list(read_rows(write(tmp_path / name, json.dumps(ROWS, indent=1).encode())))
    assert list(map(value, rows)) == ROWS
    assert [row.line for row in rows] == [2, 7]
    assert list(read_rows(write(tmp_path / name, b" [ ] "))) == []


def test_parquet(tmp_path: Path) -> None:
    Dataset.from_list(ROWS).to_parquet(tmp_path / "rows.parquet")
    rows = list(read_rows(source(tmp_path / "rows.parquet")))
    assert list(map(value, rows)) == ROWS
    assert [row.line for row in rows] == [1, 2]


def test_a_data_set_by_name_is_loaded_by_datasets(tmp_path: Path) -> None:
    """A folder is a name to `datasets` as one on the hub is, so this takes the same way without a network."""
    (tmp_path / "sets" / "base").mkdir(parents=True)
    (tmp_path / "sets" / "base" / "train.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    by_name = Source(format="preferences", hub=str(tmp_path / "sets"), folder="base")
    assert list(map(value, read_rows(by_name))) == ROWS


def test_an_unknown_data_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere/train: the data set cannot be loaded"):
        list(read_rows(Source(format="hh", hub=str(tmp_path / "nowhere"))))


def test_a_limit_stops_early(tmp_path: Path) -> None:
    limited = write(tmp_path / "rows.jsonl", b"1\n2\n3\n").model_copy(update={"limit": 2})
    assert list(map(value, read_rows(limited))) == [1, 2]


def test_a_line_that_is_not_json_or_not_utf_8_spoils_itself_only(tmp_path: Path) -> None:
    rows = list(read_rows(write(tmp_path / "rows.jsonl", b'{"a": 1}\n{"a": \n{"a": "\xff"}\n{"a": 2}\n')))
    assert (value(rows[0]), value(rows[3])) == ({"a": 1}, {"a": 2})
    assert problem(rows[1]) == "Invalid JSON: EOF while parsing a value at line 1 column 5"
    assert problem(rows[2]) == "Invalid JSON: invalid unicode code point at line 1 column 8"


def test_a_byte_order_mark_and_other_line_ends_are_no_text(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    lines = mark + b"\r\n".join(json.dumps(row).encode() for row in ROWS) + b"\r\n" + mark
    for name, text in {"rows.jsonl": lines, "rows.json": mark + json.dumps(ROWS).encode() + b"\r\n"}.items():
        assert list(map(value, read_rows(write(tmp_path / name, text)))) == ROWS


def test_a_key_that_stands_twice_spoils_its_row_only(tmp_path: Path) -> None:
    texts = ['{"a": [{"b": 1, "b": 2}]}', '{"a": 1}']
    for name, text in {"rows.jsonl": "\n".join(texts), "rows.json": f"[{','.join(texts)}]"}.items():
        first, second = read_rows(write(tmp_path / name, text.encode()))
        assert problem(first) == "the key 'b' stands there twice"
        assert value(second) == {"a": 1}


@pytest.mark.parametrize("text", [b"[" * 100_000, b"9" * 5000], ids=["nested", "digits"])
def test_json_that_python_cannot_hold_is_said_to_be(tmp_path: Path, text: bytes) -> None:
    [row] = read_rows(write(tmp_path / "rows.jsonl", text + b"\n"))
    assert problem(row).startswith("Invalid JSON: ")
    with pytest.raises(DataError, match=r"rows\.json: holds no JSON array \("):
        list(read_rows(write(tmp_path / "rows.json", b"[" + text)))


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("rows.json", b'{"a": 1}', r"holds no JSON array \(a file of one object a line is called .jsonl\)"),
        ("rows.json", b'[\n1,\n{"a"}]', "Expecting ':' delimiter: line 3 column 5"),
        ("rows.json", b"[1,\n2\n3]", "Expecting ',' delimiter: line 3 column 1"),
        ("rows.json", b"[1,", "Expecting value: line 1 column 4"),
        ("rows.json", b"[1]\n[2]", "is called .jsonl.: Extra data: line 2 column 1"),
        ("rows.json", b"\xff", "can't decode byte"),
        ("rows.csv", b"", "unknown kind of file; accepted are names that end in .jsonl, .jsonl.gz, .json"),
        ("rows.parquet", b"no parquet", "the data set cannot be loaded: Parquet magic bytes not found"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, text: bytes, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        list(read_rows(write(tmp_path / name, text)))


def test_a_gzip_with_wrong_bytes_is_an_error(tmp_path: Path) -> None:
    broken = write(tmp_path / "rows.jsonl.gz", json.dumps(ROWS).encode() * 50)
    content = bytearray((tmp_path / "rows.jsonl.gz").read_bytes())
    content[20:60] = bytes(40)
    (tmp_path / "rows.jsonl.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"rows\.jsonl\.gz: cannot be read"):
        list(read_rows(broken))


def test_a_cut_off_gzip_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    cut = write(tmp_path / "cut.jsonl.gz", b"1\n" * 1000)
    (tmp_path / "cut.jsonl.gz").write_bytes((tmp_path / "cut.jsonl.gz").read_bytes()[:-9])
    for broken in (cut, source(tmp_path / "missing.jsonl"), source(tmp_path / "missing.parquet")):
        with pytest.raises(DataError, match=broken.name):
            list(read_rows(broken))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, "exactly one of 'path'"),
        ({"path": "a", "hub": "b"}, "exactly one of 'path'"),
        ({"path": "a", "folder": "b"}, "'folder' and 'split' belong to a source on the hub"),
        ({"path": "a", "split": "test"}, "'folder' and 'split' belong to a source on the hub"),
        ({"path": "a", "limit": 0}, "limit"),
        ({"path": "a", "pth": "b"}, "pth"),
    ],
)
def test_a_source_is_one_place(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Source.model_validate({"format": "hh", **values})
