"""A model without a chat template is made ready for the paper's, by full fine-tuning and by adapters."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from selfjudge_training.evaluation.judges import model_judge
from selfjudge_training.jsft.jsft_config import JsftConfig, Lora, Start
from selfjudge_training.jsft.jsft_stage import run_jsft
from selfjudge_training.jsft.model import load_start, write_model
from selfjudge_training.rollouts.base import Sampling
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.run.files import put_in_place
from selfjudge_training.run.metrics import read_metrics
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from selfjudge import CONTROL_TOKENS, Chat, Comparison, SafeTokenizer, dialogue_example, load_templates

ADAPTER = Lora(rank=2, dropout=0.0)


def make_bare(architecture: str, folder: Path, *, tied: bool) -> Start:
    """As base models come: bytes for tokens, an end of text, neither chat template nor padding token."""
    tokens = Tokenizer(models.BPE())
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokens.train_from_iterator([], trainers.BpeTrainer(special_tokens=["</s>"], initial_alphabet=alphabet))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, eos_token="</s>")
    shape = AutoConfig.for_model(
        architecture,
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        tie_word_embeddings=tied,
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Start(path=str(folder), architecture=architecture)


def embeddings(model: PreTrainedModel) -> Tensor:
    weight: Tensor = model.get_input_embeddings().weight  # type: ignore[assignment]  # declared as any module
    return weight


@pytest.fixture
def bare(tmp_path: Path) -> Start:
    return make_bare("llama", tmp_path / "bare", tied=False)


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
@pytest.mark.parametrize(
    ("architecture", "tied", "lora"),
    [
        ("llama", False, None),
        ("qwen2", True, None),
        ("llama", True, ADAPTER),
        ("phi", True, ADAPTER),
    ],
    ids=lambda value: "lora" if isinstance(value, Lora) else str(value),
)
def test_its_control_tokens_are_trained_and_what_comes_out_answers_and_judges(
    config: JsftConfig, tmp_path: Path, architecture: str, tied: bool, lora: Lora | None
) -> None:
    """Of Phi, the output layer has a bias besides."""
    few = (config.data.pairs[0].model_copy(update={"limit": 3}),)
    data = config.data.model_copy(update={"max_length": 2048, "demonstrations": few, "pairs": few})
    steady = config.optimisation.model_copy(
        update={"schedule": "constant", "warm_up": 0.0, "batch": 9, "micro_batch": 9, "learning_rate": 0.03}
    )

    def trained(start: Start, steps: int, name: str) -> Path:
        how = steady.model_copy(update={"steps": steps, "epochs": steps})
        changes = {"start": start, "lora": lora, "data": data, "optimisation": how}
        return run_jsft(config.model_copy(update=changes), tmp_path / name)

    bare = make_bare(architecture, tmp_path / "bare", tied=tied)
    before, model = load_start(bare, config.seed), trained(bare, 2, "two")
    tokenizer, loaded = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    assert tokenizer.chat_template == before.tokenizer.chat_template
    moved = (embeddings(loaded) - embeddings(before.model)).abs().amax(1)
    assert moved[tokenizer.convert_tokens_to_ids("<|user|>")] > 1e-3
    assert (moved[65] > 1e-4) == (lora is None)
    assert (loaded.get_output_embeddings().weight is embeddings(loaded)) == tied

    trained(bare, 3, "three")
    trained(Start(path=str(model), architecture=architecture), 1, "on")
    third, first = read_metrics(tmp_path / "three")[2]["loss"], read_metrics(tmp_path / "on")[0]["loss"]
    assert first == pytest.approx(third, rel=1e-4), "what came out is not what was trained"

    rollouts = HuggingFaceRollOuts(loaded, tokenizer)
    [[sample]] = rollouts.sample(
        [[{"role": "user", "content": "Hi"}]], samples=1, sampling=Sampling(max_new_tokens=4), seed=0
    )
    assert sample.token_ids
    label_mass, untrained = (
        model_judge(HuggingFaceRollOuts(each, tokenizer), load_templates()["ultrafeedback"])(
            [Comparison("Hi", "Ho", "Hm")]
        )[0].label_mass
        for each in (loaded, before.model)
    )
    assert label_mass > untrained, "it has not learned to answer A or B"


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers` to `True`:UserWarning:peft")  # right, and wanted
def test_a_run_with_tied_new_embeddings_resumes_to_the_same_weights(
    config: JsftConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = (config.data.pairs[0].model_copy(update={"limit": 3}),)
    changes = {
        "start": make_bare("llama", tmp_path / "bare", tied=True),
        "lora": ADAPTER,
        "data": config.data.model_copy(update={"max_length": 2048, "demonstrations": few, "pairs": few}),
        "optimisation": config.optimisation.model_copy(update={"steps": 4, "epochs": 4, "batch": 9, "micro_batch": 9}),
        "machine": config.machine.model_copy(update={"checkpoint_every": 2}),
    }
    config = config.model_copy(update=changes)

    def die(partial: Path, whole: Path) -> None:
        if whole.name == "step-00000004":
            raise InterruptedError
        put_in_place(partial, whole)

    with monkeypatch.context() as patch:
        patch.setattr("selfjudge_training.run.files.put_in_place", die)
        with pytest.raises(InterruptedError):
            run_jsft(config, tmp_path / "cut")
    whole, cut = (load_file(run_jsft(config, tmp_path / name) / "model.safetensors") for name in ("whole", "cut"))
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_weights_are_written_in_the_type_that_was_asked_for(toy: Path, tmp_path: Path) -> None:
    ready = load_start(Start(path=str(toy / "start"), architecture="llama"), seed=0)
    write_model(toy / "start", ready, None, "bfloat16", tmp_path)
    written, before = load_file(tmp_path / "model.safetensors"), load_file(toy / "start" / "model.safetensors")
    assert written.keys() == before.keys()
    for name, values in written.items():
        assert torch.equal(values, before[name].bfloat16())
    assert AutoModelForCausalLM.from_pretrained(tmp_path).dtype == torch.bfloat16
