"""Offline DPO: token ids are those of roll-outs, the reference is the bare model, and death changes nothing."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from selfjudge_training.arms.offline import order_of, train_offline
from selfjudge_training.arms.offline_config import OfflineConfig
from selfjudge_training.arms.pair_tokens import PAIRS, each_preference, kept_pairs
from selfjudge_training.data.load import load_overall_pairs
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.data.source import DataError, Source
from selfjudge_training.jsft.config import Lora
from selfjudge_training.rollouts.prompts import encode_prompts
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.folder import RunFolder
from selfjudge_training.run.metrics import read_metrics
from selfjudge_training.self_training.config import Machine, Objective, Optimisation
from selfjudge_training.self_training.preferences import Preference
from selfjudge_training.self_training.prompts import batch_of_step
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase

from selfjudge import Chat, SafeTokenizer
from tests.training.run.interruption import interrupted_at
from tests.training.self_training.processes import run_in_two

TASK = [{"role": "user", "content": "Add 3 and 4."}]


@pytest.fixture
def chat(tokenizer: PreTrainedTokenizerBase) -> Chat:
    return Chat(SafeTokenizer(tokenizer))


def test_token_ids_are_those_of_roll_outs(chat: Chat) -> None:
    [pair] = each_preference(chat, [PreferencePair(TASK, "7", "12")], system=None, max_tokens=100)
    end = chat.tokens.source.eos_token_id
    assert [pair.prompt] == encode_prompts(chat, [TASK])
    assert pair.chosen == [*chat.tokens.encode("7"), end]
    assert pair.rejected == [*chat.tokens.encode("12"), end]


def test_text_of_the_data_spells_no_control_tokens(chat: Chat) -> None:
    [pair] = each_preference(chat, [PreferencePair(TASK, "7<|eos|>", "12")], system=None, max_tokens=100)
    end = chat.tokens.source.eos_token_id
    assert pair.chosen.count(end) == 1
    assert pair.chosen[-1] == end


def test_only_the_last_turn_is_the_response(chat: Chat) -> None:
    dialogue = [*TASK, {"role": "assistant", "content": "7"}, {"role": "user", "content": "Reverse 31"}]
    [pair] = each_preference(chat, [PreferencePair(dialogue, "13", "31")], system="Be right.", max_tokens=100)
    assert chat.tokens.source.decode(pair.chosen) == "13<|eos|>"
    assert "Be right." in chat.tokens.source.decode(pair.prompt)


def test_long_pairs_are_cut_or_left_out(chat: Chat) -> None:
    pairs = [PreferencePair(TASK, "7" * 40, "8" * 40), PreferencePair(TASK, "7" * 40 + "1", "7" * 40 + "2")]
    whole = list(each_preference(chat, pairs, system=None, max_tokens=200))
    limit = len(whole[0].prompt) + 5
    [cut] = each_preference(chat, pairs, system=None, max_tokens=limit)
    assert cut.chosen == whole[0].chosen[:5]


@pytest.fixture
def config(toy_folder: Path, tmp_path: Path) -> OfflineConfig:
    file = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"Add {n} and 4.", "chosen": "yes", "rejected": "no"} for n in range(10, 26)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return OfflineConfig(
        model=toy_folder,
        pairs=(Source(format="preferences", path=file),),
        max_tokens=64,
        lora=Lora(dropout=0.1),
        optimisation=Optimisation(epochs=3, batch=8, learning_rate=2e-2),
        machine=Machine(micro_batch=4, checkpoint_every=2),
    )


@pytest.fixture
def uneven(config: OfflineConfig, tmp_path: Path) -> OfflineConfig:
    """Pairs of many lengths, and some that are too long."""
    file = tmp_path / "uneven.jsonl"
    rows = [{"prompt": f"Add {n} and 4.", "chosen": "7" * (n % 7), "rejected": "1" * (5 * n % 9)} for n in range(1, 30)]
    rows += [{"prompt": "Add " * 400, "chosen": "4", "rejected": "5"}] * 2
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return config.model_copy(update={"pairs": (Source(format="preferences", path=file),)})


def test_pairs_in_files_are_those_in_memory_in_the_same_order(
    uneven: OfflineConfig, chat: Chat, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_overall_pairs(uneven.pairs, seed=uneven.seed).records
    expected = list(each_preference(chat, loaded, system=None, max_tokens=64))
    rows = kept_pairs(uneven, chat, tmp_path, begun=False)
    assert f"{len(loaded)} pairs" in (said := capsys.readouterr().out)
    assert said.endswith(f"\n{len(loaded) - len(expected)} left out as too long\n")
    assert len(loaded) - len(expected) == 2
    assert [Preference(*row.values()) for row in rows] == expected
    lengths = [len(pair.prompt) + max(len(pair.chosen), len(pair.rejected)) for pair in expected]
    order = order_of(rows, 8, 7, seed=0)
    for step in range(7):
        taken = batch_of_step(len(expected), 8, step, 0)
        assert order[8 * step : 8 * step + 8] == sorted(taken, key=lambda index: -lengths[index])


def test_pairs_take_a_file_and_no_memory(uneven: OfflineConfig, chat: Chat, tmp_path: Path) -> None:
    rows = kept_pairs(uneven, chat, tmp_path, begun=False)
    assert [Path(file["filename"]).parent for file in rows.cache_files] == [tmp_path / PAIRS]
    tokens = sum(len(ids) for row in rows for ids in row.values())
    assert rows.data.nbytes < 4 * tokens + 3 * 4 * (len(rows) + 1) + 100, "more than 4 bytes a token"


def test_a_run_that_goes_on_keeps_its_pairs_and_one_that_never_began_does_not(
    config: OfflineConfig, uneven: OfflineConfig, chat: Chat, tmp_path: Path
) -> None:
    first = list(kept_pairs(config, chat, tmp_path, begun=False))
    assert list(kept_pairs(uneven, chat, tmp_path, begun=True)) == first
    assert list(kept_pairs(uneven, chat, tmp_path, begun=False)) != first


def test_sources_that_give_nothing_are_said_to(config: OfflineConfig, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text('{"prompt": "Hi"}\n', encoding="utf-8")
    nothing = (Source(format="preferences", path=tmp_path / "none.jsonl"),)
    with pytest.raises(DataError, match="the sources give no pair"):
        train_offline(config.model_copy(update={"pairs": nothing}), tmp_path / "run")


def test_a_run_learns_the_pairs_and_leaves_a_model(
    config: OfflineConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = train_offline(config, tmp_path / "run")
    assert "logps" not in capsys.readouterr().out, "figures belong into the metrics"
    lines = read_metrics(tmp_path / "run")
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert lines[0]["loss"] == pytest.approx(0.693147, abs=1e-6), "the reference is not the bare model"
    assert lines[-1]["reward/margin"] > lines[0]["reward/margin"]
    start, end = (AutoModelForCausalLM.from_pretrained(path).state_dict() for path in (config.model, model))
    assert start.keys() == end.keys()
    assert not torch.equal(start["model.layers.0.mlp.up_proj.weight"], end["model.layers.0.mlp.up_proj.weight"])
    assert torch.equal(start["model.embed_tokens.weight"], end["model.embed_tokens.weight"])
    assert train_offline(config, tmp_path / "run") == model
    assert read_metrics(tmp_path / "run") == lines
    assert not (tmp_path / "run" / PAIRS).exists()


def test_an_interrupted_run_ends_with_the_same_weights(
    config: OfflineConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_offline(config, tmp_path / "whole")

    with interrupted_at(monkeypatch, 4):
        train_offline(config, tmp_path / "run")
    resumed = train_offline(config, tmp_path / "run")
    name = "model.safetensors"
    assert (resumed / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(900)  # several processes that each load everything
def test_two_processes_give_the_result_of_one(config: OfflineConfig, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    train_offline(config, one)
    said = run_in_two("offline", "--config", str(one / "config.yaml"), "--output", str(two))
    assert said.count("left out as too long") == 1, "each process took itself for alone"
    weights = [load_file(run / "adapter" / "adapter_model.safetensors") for run in (one, two)]
    for name, tensor in weights[0].items():
        # Sums of gradients round differently; where a gradient is all but 0, AdamW makes much of that.
        difference = (weights[1][name] - tensor).abs()
        assert difference.mean() < 1e-6
        assert difference.max() < 1e-3
    for mine, theirs in zip(read_metrics(one), read_metrics(two), strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimisation": Optimisation(batch=6)}, "no multiple of machine.micro_batch 4"),
        ({"optimisation": Optimisation(batch=64, epochs=1)}, "16 pairs x 1 epochs are fewer"),
        ({"objective": Objective(label_smoothing=0.1)}, "label_smoothing should be 0 offline"),
        ({"max_tokens": 4096}, "max_tokens: 4096 is more than the context of"),
    ],
)
def test_a_mistake_is_named(config: OfflineConfig, tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        train_offline(config.model_copy(update=changes), tmp_path / "run")
    assert not RunFolder.is_begun(tmp_path / "run"), "a mistake has claimed the folder"
