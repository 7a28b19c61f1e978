"""From a GGUF file, here of a toy, and an adapter to a folder that Transformers loads."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from selfjudge_service.preference import preferred_method
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from selfjudge.errors import AdapterError
from selfjudge.shipped.dequantised import write_folder

TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdefghijklmnopqrstuvwxyzĠĊ", "ab"]
WIDTH, HIDDEN, CONTEXT = 64, 128, 256


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of one layer, quantised as the real one is, with a tokenizer."""
    library = import_module("gguf")
    path = tmp_path_factory.mktemp("gguf") / "toy.gguf"
    writer = library.GGUFWriter(str(path), "llama")
    for name, value in (
        *(
            ("block_count", 1),
            ("context_length", CONTEXT),
            ("embedding_length", WIDTH),
            ("feed_forward_length", HIDDEN),
        ),
        *(("head_count", 2), ("head_count_kv", 2), ("rope_dimension_count", WIDTH // 2), ("vocab_size", len(TOKENS))),
    ):
        getattr(writer, f"add_{name}")(value)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * 3 + [1] * (len(TOKENS) - 3))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template("{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}")
    random = np.random.default_rng(0)
    shapes = {
        "token_embd": (len(TOKENS), WIDTH),
        **{f"blk.0.attn_{name}": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")},
        **{f"blk.0.ffn_{name}": (HIDDEN, WIDTH) for name in ("gate", "up")},
        "blk.0.ffn_down": (WIDTH, HIDDEN),
    }
    kind = library.GGMLQuantizationType.Q4_1
    for name, shape in shapes.items():
        packed = library.quants.quantize(random.normal(size=shape).astype(np.float32), kind)
        writer.add_tensor(f"{name}.weight", packed, raw_dtype=kind)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    for step in ("header", "kv_data", "tensors"):
        getattr(writer, f"write_{step}_to_file")()
    writer.close()
    return path


@pytest.fixture(scope="module")
def base(gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "model"
    write_folder(gguf, None, folder)
    return folder


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random matrices on every projection, in bfloat16 as the one that ships."""
    torch.manual_seed(0)
    config = LoraConfig(r=8, lora_alpha=32, target_modules="all-linear", init_lora_weights=False)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), config)
    folder = tmp_path_factory.mktemp("adapter")
    model.to(torch.bfloat16).save_pretrained(str(folder))
    return folder


def test_the_folder_has_plain_weights_that_know_where_a_turn_ends(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base)
    assert model.dtype == torch.bfloat16
    assert not hasattr(model.config, "quantization_config")
    settings = GenerationConfig.from_pretrained(base)
    assert (settings.eos_token_id, settings.pad_token_id, settings.top_p) == (2, 2, None)


def test_the_tokenizer_knows_the_context_and_the_chat_template(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    assert tokenizer.model_max_length == CONTEXT
    rendered = tokenizer.apply_chat_template([{"role": "user", "content": "cab"}], tokenize=False)
    assert tokenizer.convert_ids_to_tokens(tokenizer.encode(rendered)) == ["<|im_start|>", "c", "ab", "<|im_end|>"]


def test_the_adapter_is_joined_as_peft_joins_it(gguf: Path, base: Path, adapter: Path, tmp_path: Path) -> None:
    write_folder(gguf, adapter, tmp_path / "joined")
    joined = AutoModelForCausalLM.from_pretrained(tmp_path / "joined").state_dict()
    before = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    expected = PeftModel.from_pretrained(before, adapter).merge_and_unload()
    for name, weight in expected.state_dict().items():
        assert torch.equal(joined[name], weight.to(torch.bfloat16)), name
    assert preferred_method(AutoConfig.from_pretrained(tmp_path / "joined")) == "score"
    assert preferred_method(before.config) is None
    changed = [name for name, weight in joined.items() if not torch.equal(weight, load(base)[name])]
    assert len(changed) == 7


def load(folder: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    return weights


def test_an_adapter_of_another_model_is_refused(gguf: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(
        '{"peft_type": "LORA", "r": 8, "lora_alpha": 8, "target_modules": ["x"]}'
    )
    with pytest.raises(AdapterError, match="holds no adapter"):
        write_folder(gguf, tmp_path, tmp_path / "joined")
