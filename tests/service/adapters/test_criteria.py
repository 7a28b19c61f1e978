"""What a gate wants, from settings and files, and what is refused by name."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selfjudge_service.adapters.criteria import Criteria, GateError, read_criteria
from selfjudge_service.server.options import _parse
from selfjudge_service.settings import Settings

from selfjudge import Comparison

PAIR = {"prompt": "Name a number.", "chosen": "7", "rejected": "x"}


@pytest.fixture(autouse=True)
def _environment_is_put_back() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def read(**settings: Any) -> Criteria | None:  # noqa: ANN401  whatever Settings takes
    return read_criteria(Settings(**{"adapters_dir": Path("store"), **settings}))


def test_there_is_no_gate_unless_one_is_set() -> None:
    assert read() is None


def test_pairs_and_prompts_are_texts_or_messages(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a number."}]
    turns = {"prompt": messages, "chosen": [{"role": "assistant", "content": "7"}], "rejected": "x"}
    rows = lines(tmp_path / "rows", {**PAIR, "category": "numbers"}, turns)
    criteria = read(gate_pairs=rows, gate_accuracy=0.7, gate_prompts=rows)
    assert criteria is not None
    asked = [{"role": "user", "content": "Name a number."}]
    assert criteria.pairs == (Comparison(asked, "7", "x"), Comparison(messages, "7", "x"))
    assert criteria.prompts == (asked, messages)
    assert criteria.wanted == {"accuracy": 0.7, "win_share": 0.5}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "Why?", "rejected": "x"}, "line 2: chosen: Field required"),
        ({**PAIR, "prompt": ""}, "line 2: prompt"),
        ({**PAIR, "prompt": [{"role": "robot", "content": "?"}]}, "line 2: prompt"),
        ({**PAIR, "chosen": [{"role": "user", "content": "7"}]}, "line 2: chosen"),
        ({**PAIR, "chosen": []}, "line 2: chosen"),
        (["no object"], "line 2: the line"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, row: object, said: str) -> None:
    path = lines(tmp_path / "rows", PAIR, row)
    with pytest.raises(GateError, match=f"^gate_pairs: {path}, {said}"):
        read(gate_pairs=path, gate_accuracy=0.7)


@pytest.mark.parametrize("content", ["", "\n", "{"])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "rows").write_text(content)
    with pytest.raises(GateError, match=r"^gate_prompts: "):
        read(gate_prompts=tmp_path / "rows")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gate_accuracy": 0.7}, "gate_accuracy: needs gate_pairs"),
        ({"gate_consistency": 0.7}, "gate_consistency: needs gate_pairs"),
        ({"gate_pairs": Path("pairs")}, "gate_pairs: needs gate_accuracy or gate_consistency"),
        ({"gate_prompts": Path("nowhere")}, "gate_prompts: nowhere can't be read"),
        ({"gate_prompts": Path("prompts"), "adapters_dir": None}, "gate_prompts: needs adapters_dir"),
    ],
)
def test_what_lacks_something_else_is_refused_by_name(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(GateError, match=f"^{said}"):
        read(**settings)


def test_the_command_tells_before_the_model_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parse(["--adapters-dir", "store", "--gate-prompts", "nowhere"], on_cpu=True)
    assert "--gate-prompts: nowhere can't be read" in capsys.readouterr().err
