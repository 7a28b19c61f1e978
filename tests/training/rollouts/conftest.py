"""The tiny model with adapters drawn at random, prompts for it, and one engine and one server for all tests."""

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from selfjudge.shipped import TINY_MODEL

# Threads of the engine would wait for each other; PyTorch reads this while it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.engine import EngineRollOuts
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.rollouts.server import ServerRollOuts
from selfjudge_training.run.endpoint import Endpoint
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from experiments.letters.tasks import Split, draw_problems
from selfjudge import Chat, Comparison, InPlaceTemplate, JudgmentEncoder, SafeTokenizer, load_templates
from selfjudge.adapters import Manifest, Store, read_base
from tests.end_to_end.serving import serving

torch.set_num_threads(1)

SHIPPED = TINY_MODEL

MakePolicy = Callable[[int], PeftModel]
MakeAdapter = Callable[[int], Path]


def load_shipped() -> PreTrainedModel:
    loaded: PreTrainedModel = AutoModelForCausalLM.from_pretrained(SHIPPED, dtype=torch.float32, local_files_only=True)
    return loaded


def randomised(model: PreTrainedModel, seed: int, rank: int = 8) -> PeftModel:
    """With an adapter that changes what the model says: a fresh one changes nothing, and no test could fail."""
    torch.manual_seed(seed)
    policy = get_peft_model(model, LoraConfig(r=rank, lora_alpha=16, target_modules="all-linear"))
    assert isinstance(policy, PeftModel)
    for name, parameter in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return policy


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerBase:
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(SHIPPED, local_files_only=True)
    return loaded


@pytest.fixture(scope="session")
def chat(tokenizer: PreTrainedTokenizerBase) -> Chat:
    return Chat(SafeTokenizer(tokenizer))


@pytest.fixture(scope="session")
def conversations() -> list[Messages]:
    """Of different lengths, with and without a system message."""
    problems = islice(draw_problems(Split.HELD_OUT, 0), 12)
    plain: list[Messages] = [[{"role": "user", "content": problem.prompt}] for problem in problems]
    return [*plain, [{"role": "system", "content": "Answer at once."}, *plain[0]]]


@pytest.fixture(scope="session")
def encoder(chat: Chat) -> JudgmentEncoder:
    return JudgmentEncoder(chat, load_templates()["ultrafeedback"], max_tokens=1023)


@pytest.fixture(scope="session")
def judge_prompts(encoder: JudgmentEncoder, conversations: list[Messages]) -> list[list[int]]:
    prompts = encoder.encode_batch([Comparison(one, "abc", "cab, or bac") for one in conversations])
    return [ids for prompt in prompts for ids in (prompt.first_at_a, prompt.first_at_b)]


@pytest.fixture(scope="session")
def in_place() -> InPlaceTemplate:
    """Its labels are tokens of the tiny model, unlike those of the template that ships."""
    return InPlaceTemplate(form="in-place", name="score", source="", question="Right? A or B.", labels=("A", "B"))


@pytest.fixture
def policy() -> PeftModel:
    return randomised(load_shipped(), 1)


@pytest.fixture
def hugging_face(policy: PeftModel, tokenizer: PreTrainedTokenizerBase) -> HuggingFaceRollOuts:
    return HuggingFaceRollOuts(policy, tokenizer)


@pytest.fixture(scope="session")
def make_adapter(tmp_path_factory: pytest.TempPathFactory) -> MakeAdapter:
    """Writes the adapter of a seed, the same as that of `policy` for seed 1, to a folder of its own."""

    def make(seed: int) -> Path:
        folder = tmp_path_factory.mktemp("adapter")
        randomised(load_shipped(), seed).save_pretrained(str(folder))
        return folder

    return make


@pytest.fixture(scope="session")
def engine() -> Iterator[EngineRollOuts]:
    rollouts = EngineRollOuts(SHIPPED, rank=8, max_tokens=1024, cache_gib=0.25)
    yield rollouts
    rollouts.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerBase) -> Iterator[ServerRollOuts]:
    folder = tmp_path_factory.mktemp("server")
    store = folder / "store"

    def publish(adapter: Path) -> Manifest:
        return Store(store).publish("trained", adapter, base=read_base(SHIPPED), template="ultrafeedback")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELFJUDGE_ADMIN_KEYS", "admin")
        patch.setenv("KEY_FOR_TESTS", "admin")
        with serving(folder / "log", "--adapters-dir", str(store), key="user") as running:
            rollouts = ServerRollOuts(tokenizer, Endpoint(f"{running.url}/v1", "KEY_FOR_TESTS", at_once=16), publish)
            yield rollouts
            rollouts.close()
