"""A model without a chat template is made ready for the paper's, by full fine-tuning and by adapters."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from selfjudge import CONTROL_TOKENS, Chat, SafeTokenizer, dialogue_example
from training.jsft.config import JsftConfig, Lora, Start
from training.jsft.model import load_start, write_model
from training.jsft.stage import run_jsft


@pytest.fixture
def bare(tmp_path: Path) -> Start:
    """As base models come: bytes for tokens, an end of text, neither chat template nor padding token."""
    tokens = Tokenizer(models.BPE())
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokens.train_from_iterator([], trainers.BpeTrainer(special_tokens=["</s>"], initial_alphabet=alphabet))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, eos_token="</s>")
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(shape).save_pretrained(tmp_path / "bare")
    tokenizer.save_pretrained(tmp_path / "bare")
    return Start(path=str(tmp_path / "bare"), architecture="llama")


def test_it_gets_the_papers_template_and_an_embedding_for_each_control_token(bare: Start) -> None:
    ready, again = load_start(bare, seed=3), load_start(bare, seed=3)
    assert ready.tokenizer.convert_ids_to_tokens(ready.added) == list(CONTROL_TOKENS)
    chat = Chat(SafeTokenizer(ready.tokenizer))
    example = dialogue_example(chat, [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}])
    assert str(ready.tokenizer.decode(example.target_ids)).strip() == "Ho</s>"
    embeddings = ready.model.get_parameter("model.embed_tokens.weight")
    assert embeddings.shape[0] == len(ready.tokenizer)
    assert torch.equal(embeddings, again.model.get_parameter("model.embed_tokens.weight"))


def test_a_model_with_a_template_keeps_it(toy: Path) -> None:
    before = AutoTokenizer.from_pretrained(toy / "start")
    ready = load_start(Start(path=str(toy / "start"), architecture="llama"), seed=0)
    assert (ready.tokenizer.chat_template, len(ready.tokenizer)) == (before.chat_template, len(before))
    assert ready.added == []


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers` to `True`:UserWarning:peft")  # right, and wanted
@pytest.mark.parametrize("lora", [None, Lora(rank=2)])
def test_its_control_tokens_are_trained_and_saved(
    bare: Start, config: JsftConfig, tmp_path: Path, lora: Lora | None
) -> None:
    data = config.data.model_copy(update={"max_length": 2048})
    how = config.optimisation.model_copy(update={"steps": 2})
    config = config.model_copy(update={"start": bare, "lora": lora, "data": data, "optimisation": how})
    start = load_start(bare, config.seed)
    model = run_jsft(config, tmp_path / "run")
    tokenizer = AutoTokenizer.from_pretrained(model)
    assert tokenizer.chat_template == start.tokenizer.chat_template
    trained = load_file(model / "model.safetensors")["model.embed_tokens.weight"]
    moved = (trained - start.model.get_parameter("model.embed_tokens.weight")).abs().amax(1)
    user = tokenizer.convert_tokens_to_ids("<|user|>")
    assert moved[user] > 1e-3
    assert (moved[65] > 1e-4) == (lora is None)


def test_weights_are_written_in_the_type_that_was_asked_for(toy: Path, tmp_path: Path) -> None:
    ready = load_start(Start(path=str(toy / "start"), architecture="llama"), seed=0)
    write_model(toy / "start", ready, None, "bfloat16", tmp_path)
    written, before = load_file(tmp_path / "model.safetensors"), load_file(toy / "start" / "model.safetensors")
    assert written.keys() == before.keys()
    for name, values in written.items():
        assert torch.equal(values, before[name].bfloat16())
    assert AutoModelForCausalLM.from_pretrained(tmp_path).dtype == torch.bfloat16
