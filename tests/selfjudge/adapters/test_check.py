"""Every kind of bad adapter is refused, for the reason that it is bad; good ones of any build are not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfjudge.adapters import AdapterError, Base, check_adapter
from tests.selfjudge.adapters.files import (
    CONFIG,
    RANK,
    WEIGHTS,
    Arrays,
    adapter_weights,
    base_weights,
    read_tensors,
    reconfigure,
    write_tensors,
)

AT = "base_model.model.model.layers.1"
Q_A, Q_B = f"{AT}.self_attn.q_proj.lora_A.weight", f"{AT}.self_attn.q_proj.lora_B.weight"
Spoil = Callable[[Path], object]


def configured(**values: object) -> Spoil:
    return lambda folder: reconfigure(folder, **values)


def changed(change: Callable[[Arrays], object]) -> Spoil:
    def spoil(folder: Path) -> None:
        arrays = read_tensors(folder / WEIGHTS)
        change(arrays)
        write_tensors(folder / WEIGHTS, arrays)

    return spoil


def added(name: str, *shape: int) -> Spoil:
    return changed(lambda arrays: arrays.update({name: np.zeros(shape, np.float32)}))


def without(*parts: str) -> Spoil:
    """Without the tensors whose names have all these parts."""

    def drop(arrays: Arrays) -> None:
        for name in [name for name in arrays if all(part in name for part in parts)]:
            del arrays[name]

    return changed(drop)


def replaced(array: "np.ndarray[Any, Any]") -> Spoil:
    return changed(lambda arrays: arrays.update({Q_A: array}))


def with_value(value: float, kind: str = "float32") -> Spoil:
    def put(arrays: Arrays) -> None:
        arrays[Q_A][0, 0] = value
        if kind == "bfloat16":
            arrays[Q_A] = (arrays[Q_A].view(np.uint32) >> 16).astype(np.uint16)
        else:
            arrays[Q_A] = arrays[Q_A].astype(kind)

    return changed(put)


def written(name: str, content: bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(content)


def cut(name: str) -> Spoil:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-40])


def emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def pickled(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")


def unconfigured(name: str) -> Spoil:
    def drop(folder: Path) -> None:
        fields = json.loads((folder / CONFIG).read_text())
        del fields[name]
        (folder / CONFIG).write_text(json.dumps(fields))

    return drop


BAD: dict[str, tuple[Spoil, str, str]] = {
    "empty folder": (emptied, "files", "has no adapter_config.json"),
    "pickle": (pickled, "files", "has no adapter_model.safetensors"),
    "truncated weights": (cut(WEIGHTS), "files", "no whole safetensors file"),
    "empty weights": (written(WEIGHTS, b""), "files", "no whole safetensors file"),
    "huge header": (written(WEIGHTS, (1 << 40).to_bytes(8, "little") + b"{}"), "files", "no whole safetensors file"),
    "header no JSON": (written(WEIGHTS, (4).to_bytes(8, "little") + b"{{{{"), "files", "no whole safetensors file"),
    "truncated config": (cut(CONFIG), "config", "cannot be read as JSON"),
    "config no text": (written(CONFIG, b"\xff\xfe"), "config", "cannot be read as JSON"),
    "config a list": (written(CONFIG, b"[]"), "config", "no JSON object"),
    "config nested without end": (written(CONFIG, b"[" * 100_000), "config", "cannot be read as JSON"),
    "config huge": (written(CONFIG, b" " * (2 << 20)), "config", "more than"),
    "alpha missing": (unconfigured("lora_alpha"), "config", "lora_alpha"),
    "alpha 0": (configured(lora_alpha=0), "config", "lora_alpha"),
    "alpha NaN": (configured(lora_alpha=float("nan")), "config", "lora_alpha"),
    "rank 0": (configured(r=0), "config", "r: "),
    "rank true": (configured(r=True), "config", "r: "),
    "rank in words": (configured(r="2"), "config", "r: "),
    "no targets": (configured(target_modules=[]), "config", "target_modules"),
    "no regular expression": (configured(target_modules="(q_proj"), "config", "no regular expression"),
    "no regular expression for ranks": (configured(rank_pattern={"(?i)q": 2}), "config", "no regular expression"),
    "rank above the server's": (configured(r=16), "rank", "rank 16 is more than the 8 .* --max-lora-rank 16"),
    "pattern above the server's": (configured(rank_pattern={"q_proj": 600}), "rank", "vLLM has at most 512"),
    "lying rank": (configured(r=4), "rank", r"has shape \[2, 8\], but .* ask for \[4, 8\]"),
    "lying rank pattern": (configured(rank_pattern={"down_proj": 1}), "rank", r"down_proj .* ask for \[1, 12\]"),
    "other PEFT": (configured(peft_type="IA3"), "unsupported", "must be 'LORA'"),
    "DoRA": (configured(use_dora=True), "unsupported", "use_dora"),
    "whole modules": (configured(modules_to_save=["lm_head"]), "unsupported", "modules_to_save"),
    "biases": (configured(bias="all"), "unsupported", "bias 'all'"),
    "biases of its own": (configured(lora_bias=True), "unsupported", "lora_bias"),
    "changed base": (configured(init_lora_weights="pissa"), "unsupported", "pissa"),
    "trained tokens": (configured(trainable_token_indices=[1]), "unsupported", "trainable_token_indices"),
    "DoRA untold": (added(f"{AT}.self_attn.q_proj.lora_magnitude_vector", 8), "keys", "1 are unknown .*magnitude"),
    "biases untold": (added(f"{AT}.self_attn.q_proj.lora_B.bias", 8), "keys", "1 are unknown .*bias"),
    "whole module untold": (added("base_model.model.lm_head.weight", 20, 8), "keys", "1 are unknown .*lm_head"),
    "layer too many": (
        changed(lambda arrays: arrays.update({Q_A.replace("s.1", "s.9"): arrays.pop(Q_A)})),
        "keys",
        r"1 parts are missing \(first lora_A .*1 are unknown .*layers\.9",
    ),
    "half a pair": (without(Q_B), "keys", r"1 parts are missing \(first lora_B of .*layers\.1\.self_attn\.q_proj"),
    "a pair missing": (without("layers.1.mlp.down_proj"), "keys", r"missing \(first model\.layers\.1\.mlp\.down_proj"),
    "a layer missing": (without("layers.0"), "keys", "3 parts are missing"),
    "a target missing": (without("v_proj"), "keys", r"1 parts are missing \(first v_proj"),
    "not targeted": (configured(target_modules=["q_proj", "v_proj"]), "keys", "2 are unknown .*down_proj"),
    "excluded": (configured(exclude_modules=["down_proj"]), "keys", "2 are unknown .*down_proj"),
    "no tensors": (without(""), "keys", "holds no tensors"),
    "a norm": (
        lambda folder: (
            added(f"{AT}.input_layernorm.lora_A.weight", RANK, 8)(folder),
            added(f"{AT}.input_layernorm.lora_B.weight", 8, RANK)(folder),
            configured(target_modules=".*(_proj|layers.1.input_layernorm)")(folder),
        ),
        "keys",
        "no matrix",
    ),
    "transposed": (changed(lambda arrays: arrays.update({Q_A: arrays[Q_A].T.copy()})), "shapes", r"shape \[8, 2\]"),
    "other width": (replaced(np.zeros((RANK, 16), np.float32)), "shapes", r"\[2, 16\], but .* ask for \[2, 8\]"),
    "a vector": (replaced(np.zeros(16, np.float32)), "shapes", r"shape \[16\]"),
    "float64": (replaced(np.zeros((RANK, 8))), "dtype", "is of type F64; accepted are BF16, F16, F32"),
    "int8": (replaced(np.zeros((RANK, 8), np.int8)), "dtype", "is of type I8"),
    "NaN": (with_value(np.nan), "values", "not finite"),
    "infinity": (with_value(-np.inf), "values", "not finite"),
    "NaN in bfloat16": (with_value(np.nan, "bfloat16"), "values", "not finite"),
    "infinity in float16": (with_value(np.inf, "float16"), "values", "not finite"),
    "overflow by alpha": (configured(lora_alpha=1e5), "values", r"can add up to .* is the most that float16 holds"),
    "overflow by alpha of a pattern": (configured(alpha_pattern={"q_proj": 1e5}), "values", r"q_proj can add up to"),
    "overflow by alpha of a root": (configured(lora_alpha=2e4, use_rslora=True), "values", r"can add up to"),
    "infinite as float16": (with_value(1e6), "values", "or beyond 65,504"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_ones_are_refused(adapter: Path, base: Base, kind: str) -> None:
    spoil, reason, message = BAD[kind]
    spoil(adapter)
    with pytest.raises(AdapterError, match=message) as caught:
        check_adapter(adapter, base.shapes, 8)
    assert caught.value.reason == reason


def test_one_for_a_wider_model_is_refused(adapter: Path) -> None:
    shapes = {name: array.shape for name, array in base_weights(hidden=16).items()}
    with pytest.raises(AdapterError, match=r"ask for \[2, 16\]") as caught:
        check_adapter(adapter, shapes)
    assert caught.value.reason == "shapes"


def test_a_good_one_passes(adapter: Path, base: Base) -> None:
    config = check_adapter(adapter, base.shapes, 8)
    assert (config.r, config.largest_rank) == (RANK, RANK)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_every_type_that_is_served_passes(adapter: Path, base: Base, kind: str) -> None:
    with_value(1000.0 if kind == "float16" else -2.5, kind)(adapter)
    check_adapter(adapter, base.shapes)


@pytest.mark.parametrize("prefix", ["", "model.language_model.", "language_model.model."])
def test_what_stands_before_the_layers_may_differ(adapter: Path, prefix: str) -> None:
    """As between a base model's files and the module that PEFT saw."""
    shapes = {name: array.shape for name, array in base_weights(prefix=prefix).items()}
    check_adapter(adapter, shapes)
    without("layers.0.mlp")(adapter)
    with pytest.raises(AdapterError, match=r"missing \(first model\.layers\.0\.mlp\.down_proj"):
        check_adapter(adapter, shapes)


def test_a_name_that_fits_two_weights_is_refused(adapter: Path) -> None:
    both = base_weights(prefix="vision.") | base_weights(prefix="text.")
    with pytest.raises(AdapterError, match="6 are unknown"):
        check_adapter(adapter, {name: array.shape for name, array in both.items()})


@pytest.mark.parametrize("values", [{"layers_to_transform": [1]}, {"target_modules": r".*\.1\..*"}])
def test_layers_may_be_left_out_on_purpose(adapter: Path, base: Base, values: dict[str, object]) -> None:
    without("layers.0")(adapter)
    configured(**values)(adapter)
    check_adapter(adapter, base.shapes)


def test_layers_that_keep_inputs_first(adapter: Path, base: Base) -> None:
    """GPT-2's, which PEFT marks so."""
    configured(fan_in_fan_out=True)(adapter)
    check_adapter(adapter, {name: shape[::-1] for name, shape in base.shapes.items()})


def test_embeddings(adapter: Path, base: Base) -> None:
    arrays = adapter_weights() | {
        "base_model.model.model.embed_tokens.lora_embedding_A": np.zeros((RANK, 20), np.float32),
        "base_model.model.model.embed_tokens.lora_embedding_B": np.zeros((8, RANK), np.float32),
    }
    write_tensors(adapter / WEIGHTS, arrays)
    configured(target_modules=["q_proj", "v_proj", "down_proj", "embed_tokens"])(adapter)
    check_adapter(adapter, base.shapes)


def test_ranks_may_differ_by_module(adapter: Path, base: Base) -> None:
    def widen(arrays: Arrays) -> None:
        for name in [name for name in arrays if "down_proj" in name]:
            arrays[name] = np.concatenate([arrays[name]] * 2, axis=0 if "lora_A" in name else 1)

    changed(widen)(adapter)
    configured(rank_pattern={r"mlp\.down_proj": 4})(adapter)
    assert check_adapter(adapter, base.shapes).largest_rank == 4
