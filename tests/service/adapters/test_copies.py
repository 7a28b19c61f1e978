"""What is wrong with a private copy is told of what it is a copy of."""

import json
import shutil
from pathlib import Path

import pytest

from selfjudge.adapters.store import Store
from selfjudge.errors import AdapterError
from service.adapters.copies import Copies
from tests.service.adapters.files import BASE, RANK, publish


def test_the_file_of_the_store_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    version = publish(store, "chat", 1).version
    copies, folder = Copies(store, BASE, RANK // 2), store.folder("chat", version)
    with pytest.raises(AdapterError) as caught:
        copies.bring("chat", version)
    assert str(caught.value).startswith(f"{folder}: rank 8 is more than the 4")
    weights = folder / "adapter_model.safetensors"
    shutil.copyfile(Path(BASE.weights["model.norm.weight"][0]), weights)
    with pytest.raises(AdapterError) as caught:
        copies.bring("chat", version)
    assert str(caught.value).startswith(f"{weights} is not the file that was published")
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"version": 1}))
    with pytest.raises(AdapterError) as caught:
        copies.bring("chat", version)
    assert str(caught.value).startswith(f"{manifest} is no manifest")
