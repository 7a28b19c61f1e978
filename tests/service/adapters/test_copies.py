"""What is wrong with a private copy is told of what it is a copy of."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file
from selfjudge_service.adapters.copies import Copies

from selfjudge.adapters.store import Store
from selfjudge.errors import AdapterError
from selfjudge.shipped import TINY_MODEL
from tests.service.adapters.files import BASE, RANK, publish, write_adapter


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


def test_embeddings_that_peft_brings_along_are_no_obstacle(tmp_path: Path) -> None:
    """Neither where a version is published, nor where it is served."""
    weights = write_adapter(tmp_path / "adapter", 1) / "adapter_model.safetensors"
    embeddings = load_file(TINY_MODEL / "model.safetensors")["model.embed_tokens.weight"]
    tensors = load_file(weights) | {"base_model.model.model.embed_tokens.base_layer.weight": embeddings}
    save_file(tensors, weights)
    store = Store(tmp_path / "store")
    version = store.publish("chat", weights.parent, base=BASE, template="ultrafeedback").version
    store.validate("chat", version, BASE)
    assert Copies(store, BASE, RANK).bring("chat", version).is_dir()
