"""A base model has one fingerprint however its files are cut, and another when its weights differ."""

import json
from pathlib import Path

import numpy as np
import pytest

from selfjudge.adapters import AdapterError, Base, read_base
from selfjudge.shipped import TINY_MODEL
from tests.selfjudge.adapters.files import base_weights, write_base, write_tensors


def test_the_shipped_model() -> None:
    base = read_base(TINY_MODEL)
    assert base.shapes["model.layers.5.mlp.down_proj.weight"] == (128, 352)


def test_files_may_be_cut_anywhere(base: Base, tmp_path: Path) -> None:
    places = {}
    for number, (name, array) in enumerate(base_weights().items()):
        places[name] = f"model-{number}.safetensors"
        write_tensors(tmp_path / places[name], {name: array})
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert read_base(tmp_path)[:2] == base[:2]


def test_other_weights_are_another_model(base: Base, tmp_path: Path) -> None:
    assert read_base(write_base(tmp_path / "same")).fingerprint == base.fingerprint
    assert read_base(write_base(tmp_path / "other", seed=1)).fingerprint != base.fingerprint


def test_one_large_tensor_is_seen_from_end_to_end(tmp_path: Path) -> None:
    found = set()
    for place in (None, 0, -1):
        array = np.zeros((200, 200), np.float32)
        if place is not None:
            array.flat[place] = 1
        write_tensors(tmp_path / "model.safetensors", {"weight": array})
        found.add(read_base(tmp_path).fingerprint)
    assert len(found) == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "base"),
        ("{}", "base"),
        ("[]", "base"),
        ("no JSON", "base"),
        ('{"weight_map": {"weight": "missing.safetensors"}}', "files"),
    ],
)
def test_no_base_model(tmp_path: Path, content: str | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "model.safetensors.index.json").write_text(content)
    with pytest.raises(AdapterError) as caught:
        read_base(tmp_path)
    assert caught.value.reason == reason
