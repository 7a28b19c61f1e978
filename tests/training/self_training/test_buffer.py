"""Arms that do not sample anew: their pairs are made once, kept in files, and learned by the one learner."""

import json
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from selfjudge_training.data.load import load_overall_pairs
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.data.source import DataError
from selfjudge_training.rollouts.base import encode_prompts
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.kept_rows import open_rows
from selfjudge_training.run.metrics import read_metrics
from selfjudge_training.self_training.buffer import FOLDER, each_pair, given_pairs
from selfjudge_training.self_training.policy import load_policy
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig
from selfjudge_training.self_training.self_training_stage import on_policy, self_train
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase

from selfjudge import Chat, SafeTokenizer
from tests.training.self_training.conftest import toy

TASK = [{"role": "user", "content": "Add 3 and 4."}]


@pytest.fixture
def chat(tokenizer: PreTrainedTokenizerBase) -> Chat:
    return Chat(SafeTokenizer(tokenizer))


def test_a_sampled_buffer_is_met_again_and_a_lost_part_is_made_again(toy_folder: Path, tmp_path: Path) -> None:
    overrides = ["arm=off-policy", "optimisation.batch=16", "optimisation.epochs=3"]
    config = toy(toy_folder, *overrides, prompts=16)
    self_train(config, tmp_path / "run")
    first, second, third = read_metrics(tmp_path / "run")
    for name in ("pairs", "sampled/tokens", "judge/position_consistency"):
        assert first[name] == second[name] == third[name]
    assert third["loss"] < first["loss"]
    parts = sorted((tmp_path / "run" / FOLDER).iterdir())
    assert len(parts) == 4
    again = tmp_path / "again" / FOLDER
    again.mkdir(parents=True)
    for part in parts[1:]:
        (again / part.name).write_bytes(part.read_bytes())
    model = self_train(config, tmp_path / "again")
    assert list(open_rows(again)) == list(open_rows(tmp_path / "run" / FOLDER))
    weights = (model / "model.safetensors").read_bytes()
    assert weights == (tmp_path / "run" / "model" / "model.safetensors").read_bytes()


def test_on_policy_samples_anew(toy_folder: Path) -> None:
    config, accelerator = toy(toy_folder), Accelerator()
    source = on_policy(config, load_policy(config, accelerator.device), accelerator, toy_folder, None)
    assert source.judged(range(4), 1) == source.judged(range(4), 1)
    assert source.judged(range(4), 1) != source.judged(range(4), 2)


def test_token_ids_are_those_of_roll_outs(chat: Chat) -> None:
    [pair] = each_pair(chat, [PreferencePair(TASK, "7<|eos|>", "12")], system=None, max_tokens=100)
    end = chat.tokens.source.eos_token_id
    assert [pair.prompt] == encode_prompts(chat, [TASK])
    assert pair.chosen == [*chat.tokens.encode("7<|eos|>"), end]
    assert pair.chosen.count(end) == 1, "text of the data spells no control tokens"
    assert pair.rejected == [*chat.tokens.encode("12"), end]


def test_only_the_last_turn_is_the_response(chat: Chat) -> None:
    dialogue = [*TASK, {"role": "assistant", "content": "7"}, {"role": "user", "content": "Reverse 31"}]
    [pair] = each_pair(chat, [PreferencePair(dialogue, "13", "31")], system="Be right.", max_tokens=100)
    assert chat.tokens.source.decode(pair.chosen) == "13<|eos|>"
    assert "Be right." in chat.tokens.source.decode(pair.prompt)


def test_long_pairs_are_cut_or_left_out(chat: Chat) -> None:
    pairs = [PreferencePair(TASK, "7" * 40, "8" * 40), PreferencePair(TASK, "7" * 40 + "1", "7" * 40 + "2")]
    whole = list(each_pair(chat, pairs, system=None, max_tokens=200))
    limit = len(whole[0].prompt) + 5
    [cut] = each_pair(chat, pairs, system=None, max_tokens=limit)
    assert cut.chosen == whole[0].chosen[:5]


@pytest.fixture
def offline(toy_folder: Path) -> SelfTrainingConfig:
    overrides = ["arm=offline", "optimisation.epochs=3", "optimisation.learning_rate=0.02"]
    return toy(toy_folder, *overrides, prompts=16)


@pytest.fixture
def uneven(offline: SelfTrainingConfig, tmp_path: Path) -> SelfTrainingConfig:
    """Pairs of many lengths, and some that are too long."""
    file = tmp_path / "uneven.jsonl"
    rows = [{"prompt": f"Add {n} and 4.", "chosen": "7" * (n % 7), "rejected": "1" * (5 * n % 9)} for n in range(1, 30)]
    rows += [{"prompt": "Add " * 400, "chosen": "4", "rejected": "5"}] * 2
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    [source] = offline.prompts.sources
    prompts = offline.prompts.model_copy(update={"sources": (source.model_copy(update={"path": file, "limit": None}),)})
    return offline.model_copy(update={"prompts": prompts})


def test_pairs_of_data_sets_lie_in_a_file_and_take_no_memory(
    uneven: SelfTrainingConfig, chat: Chat, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_overall_pairs(uneven.prompts.sources, seed=uneven.seed).records
    expected = list(each_pair(chat, loaded, system=None, max_tokens=uneven.max_tokens))
    buffer = given_pairs(uneven, chat, tmp_path, begun=False)
    assert f"{len(loaded)} pairs" in (said := capsys.readouterr().out)
    assert said.endswith(f"\n{len(loaded) - len(expected)} left out as too long\n")
    assert len(loaded) - len(expected) == 2
    pairs = buffer.judged(range(buffer.prompts), 0)
    assert pairs == expected
    rows = open_rows(tmp_path / FOLDER)
    tokens = sum(len(part) for pair in expected for part in pair[:3])
    beside_tokens = 4 * 4 + 2 * 8  # of a row: offsets and flags, score and length
    assert rows.data.nbytes < 4 * tokens + beside_tokens * (len(rows) + 1) + 100, "more than 4 bytes a token"


def test_a_run_that_goes_on_keeps_its_pairs_and_one_that_never_began_does_not(
    offline: SelfTrainingConfig, uneven: SelfTrainingConfig, chat: Chat, tmp_path: Path
) -> None:
    first = given_pairs(offline, chat, tmp_path, begun=False).prompts
    assert given_pairs(uneven, chat, tmp_path, begun=True).prompts == first
    assert given_pairs(uneven, chat, tmp_path, begun=False).prompts != first


def test_sources_that_give_nothing_are_said_to(toy_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text('{"prompt": "Hi"}\n', encoding="utf-8")
    nothing = f"prompts.sources=[{{format: preferences, path: {tmp_path / 'none.jsonl'}}}]"
    with pytest.raises(DataError, match="the sources give no pair"):
        self_train(toy(toy_folder, "arm=offline", nothing), tmp_path / "run")


def test_an_offline_run_learns_the_pairs_and_leaves_a_model(offline: SelfTrainingConfig, tmp_path: Path) -> None:
    model = self_train(offline, tmp_path / "run")
    lines = read_metrics(tmp_path / "run")
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert lines[0]["loss"] == pytest.approx(0.693147, abs=1e-6), "the reference is not the bare model"
    assert lines[-1]["reward/margin"] > lines[0]["reward/margin"]
    start, end = (AutoModelForCausalLM.from_pretrained(path).state_dict() for path in (offline.model, model))
    assert start.keys() == end.keys()
    assert not torch.equal(
        start["model.layers.0.self_attn.q_proj.weight"], end["model.layers.0.self_attn.q_proj.weight"]
    )
    assert torch.equal(start["model.embed_tokens.weight"], end["model.embed_tokens.weight"])
    assert self_train(offline, tmp_path / "run") == model
    assert read_metrics(tmp_path / "run") == lines


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("optimisation.batch=64", "64 is more than the 40 prompts or pairs give in 1.2 epochs"),
        ("max_tokens=4096", "max_tokens: 4096 is more than the context of"),
        ("iterations=2", "iterations: should be 1 offline"),
        ("arm=of-policy", "Input should be 'on-policy', 'off-policy' or 'offline'"),
    ],
)
def test_a_mistake_is_named(toy_folder: Path, tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        self_train(toy(toy_folder, "arm=offline", override), tmp_path / "run")
