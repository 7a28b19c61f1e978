"""Whole runs on a toy model: what they leave, and that neither death nor company changes the result."""

import gc
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file
from selfjudge_training.cli import main
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.metrics import read_metrics
from selfjudge_training.self_training.policy import parameters_in_memory
from selfjudge_training.self_training.self_training_stage import self_train
from transformers import AutoModelForCausalLM

from selfjudge import ChoiceTokens, Reading
from selfjudge.shipped import TINY_MODEL
from tests.training.self_training.conftest import TOY, scored, sources, toy, write_prompts
from tests.training.self_training.processes import ENVIRONMENT, program, run_alone, run_in_two

STEPS = 6
WEIGHTS = 1_291_520
"""Of the tiny model."""


@pytest.fixture(scope="module")
def finished(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert self_train(toy(toy_folder), folder) == folder / "model"
    return folder


@pytest.fixture(scope="module")
def finished_by_scores(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another, of the best and the worst of three samples."""
    folder = tmp_path_factory.mktemp("scored")
    return self_train(toy(toy_folder, *scored(folder)), folder / "run").parent


def command(model: Path, folder: Path) -> list[str]:
    return ["self-train", "--config", str(TOY), "--output", str(folder), f"model={model}", sources(model)]


def test_a_run_leaves_metrics_of_every_step(finished: Path) -> None:
    lines = read_metrics(finished)
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    always = {
        "loss", "reward/margin", "reward/accuracy", "kl", "gradient_norm", "learning_rate", "pairs", "skipped/equal",
        "skipped/tie", "skipped/close", "judge/position_consistency", "sampled/tokens", "seconds/rollouts",
        "seconds/learning",
    }  # fmt: skip
    assert all(always <= line.keys() for line in lines)
    assert lines[0]["kl"] == pytest.approx(0, abs=1e-4)
    assert lines[0]["memory/parameters"] > 0
    assert lines[0]["memory/bytes"] == 4 * lines[0]["memory/parameters"]


def test_a_run_by_scores_leaves_them_in_the_metrics(finished_by_scores: Path) -> None:
    lines = read_metrics(finished_by_scores)
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert all(0 < line["judge/score"] < 1 and 0 < line["pairs"] <= 8 for line in lines)
    assert all("judge/position_consistency" not in line for line in lines)


def test_resumed_from_a_checkpoint_a_run_by_scores_ends_with_the_same_weights(
    finished_by_scores: Path, toy_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_by_scores, folder)
    for name in ("model", "adapter", f"checkpoints/step-{STEPS:08d}"):
        shutil.rmtree(folder / name)
    self_train(toy(toy_folder, *scored(finished_by_scores.parent)), folder)
    assert steps_logged(folder) == list(range(1, STEPS + 1))
    for name in ("adapter/adapter_model.safetensors", "model/model.safetensors"):
        assert (folder / name).read_bytes() == (finished_by_scores / name).read_bytes()


def test_the_merged_model_is_the_policy(finished: Path, toy_folder: Path) -> None:
    merged = AutoModelForCausalLM.from_pretrained(finished / "model")
    start = AutoModelForCausalLM.from_pretrained(toy_folder)
    ids = torch.tensor([[3, 40, 41, 42]])
    with torch.inference_mode():
        before = start(input_ids=ids).logits
        adapted = PeftModel.from_pretrained(start, str(finished / "adapter"))(input_ids=ids).logits
        torch.testing.assert_close(merged(input_ids=ids).logits, adapted, atol=1e-4, rtol=1e-4)
    assert (adapted - before).abs().max() > 1e-2


def test_what_is_finished_is_not_done_again_and_the_folder_is_its_own(finished: Path, toy_folder: Path) -> None:
    before = (finished / "metrics.jsonl").read_bytes()
    assert self_train(toy(toy_folder), finished) == finished / "model"
    assert (finished / "metrics.jsonl").read_bytes() == before
    with pytest.raises(ConfigError, match=r"objective\.beta: 0\.1 there, 0\.2 now"):
        self_train(toy(toy_folder, "objective.beta=0.2"), finished)


@pytest.mark.slow
def test_killed_behind_a_checkpoint_a_run_ends_with_the_same_weights(
    finished: Path, toy_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    run = program(*command(toy_folder, folder))
    with subprocess.Popen(run, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while len(steps_logged(folder)) < 3:
            assert process.poll() is None, "the run ended before it was killed"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert not (folder / "model").exists()
    self_train(toy(toy_folder), folder)
    assert steps_logged(folder) == steps_logged(finished) == list(range(1, STEPS + 1))
    for name in ("adapter/adapter_model.safetensors", "model/model.safetensors"):
        assert (folder / name).read_bytes() == (finished / name).read_bytes()


def steps_logged(folder: Path) -> list[float]:
    if not (folder / "metrics.jsonl").exists():
        return []
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    return [line["step"] for line in read_metrics(folder)] if all(line.endswith("\n") for line in lines) else []


@pytest.mark.slow
@pytest.mark.timeout(900)  # several processes that each load everything
@pytest.mark.parametrize("scores", [False, True])
def test_two_processes_give_the_result_of_one(
    finished: Path, finished_by_scores: Path, toy_folder: Path, tmp_path: Path, *, scores: bool
) -> None:
    folder, finished = tmp_path / "run", finished_by_scores if scores else finished
    said = run_in_two(*command(toy_folder, folder), *(scored(tmp_path) if scores else ()))
    assert said.count("40 prompts;") == 1, "each process took itself for alone"
    one, two = (load_file(run / "adapter" / "adapter_model.safetensors") for run in (finished, folder))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        # Sums of gradients round differently; where a gradient is all but 0, AdamW makes much of that.
        difference = (two[name] - tensor).abs()
        assert difference.mean() < 1e-6
        assert difference.max() < 1e-3
    for mine, theirs in zip(read_metrics(finished), read_metrics(folder), strict=True):
        judge = "judge/score" if scores else "judge/position_consistency"
        for name in ("loss", "kl", "pairs", "sampled/tokens", judge):
            assert theirs[name] == pytest.approx(mine[name], abs=1e-4)


def test_an_iteration_begins_with_what_the_one_before_made(toy_folder: Path, tmp_path: Path) -> None:
    config = toy(toy_folder, "iterations=2", "optimisation.epochs=1", prompts=16)
    gc.unfreeze()  # what other tests have left would count for the first iteration only
    gc.collect()
    assert self_train(config, tmp_path) == tmp_path / "iteration-2" / "model"
    second = yaml.safe_load((tmp_path / "iteration-2" / "config.yaml").read_text(encoding="utf-8"))
    assert second["model"] == str(tmp_path / "iteration-1" / "model")
    first_steps = [read_metrics(tmp_path / f"iteration-{number}")[0] for number in (1, 2)]
    assert [step["kl"] for step in first_steps] == pytest.approx([0, 0], abs=1e-3)
    assert first_steps[0]["memory/bytes"] == first_steps[1]["memory/bytes"], "the first policy is still in memory"


@pytest.mark.parametrize("weights", ["first", "previous"])
def test_iterations_are_judged_by_whom_they_should(
    toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: str
) -> None:
    judges: list[str] = []
    judge = HuggingFaceRollOuts.read

    def read(self: HuggingFaceRollOuts, prompts: list[list[int]], choice: ChoiceTokens) -> list[Reading]:
        judges.append(Path(str(self._base.name_or_path)).parent.name)
        return judge(self, prompts, choice)

    monkeypatch.setattr(HuggingFaceRollOuts, "read", read)
    overrides = ["iterations=2", f"judge.weights={weights}", "optimisation.epochs=1", "optimisation.batch=4"]
    self_train(toy(toy_folder, *overrides, prompts=4), tmp_path)
    second = toy_folder.parent.name if weights == "first" else "iteration-1"
    assert list(dict.fromkeys(judges)) == list(dict.fromkeys([toy_folder.parent.name, second]))


def test_held_out_pairs_are_measured_now_and_then(toy_folder: Path, tmp_path: Path) -> None:
    pairs = f"evaluation={{every: 4, pairs: [{{format: preferences, path: {toy_folder / 'prompts.jsonl'}}}]}}"
    self_train(toy(toy_folder, pairs), tmp_path / "run")
    lines = read_metrics(tmp_path / "run")
    assert [line["step"] for line in lines if "evaluation/loss" in line] == [1, 5]
    assert lines[0]["evaluation/loss"] == pytest.approx(0.693147, abs=1e-5)
    assert lines[4]["evaluation/reward/margin"] != 0


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("machine.trackers=[wanbd]", r"machine\.trackers: wanbd is not installed or unknown; there are .*tensorboard"),
        ("objective.beat=1", r"'objective\.beat': unknown key; accepted are beta, label_smoothing, loss"),
        ("objective.loss=ppo", "Input should be 'dpo', 'ipo' or 'hinge'"),
        ("objective.label_smoothing=0.5", "less than 0.5"),
        ("judge.template=mine", r"judge\.template: 'mine' is unknown; known are hh-helpful, in-place-score, ultra"),
        ("decoding.samples=1", "'decoding.samples': Input should be greater than or equal to 2"),
        (
            "decoding.samples=4",
            r"decoding\.samples: 4 need a judge\.template that scores, such as in-place-score; 'ultra",
        ),
        ("optimisation.batch=1000", r"optimisation\.batch: 1000 is more than the 40 prompts or pairs give"),
        ("max_tokens=100000", "more than the context"),
        ("rollouts.adapter_every=3", r"'machine\.checkpoint_every' \(2\) should be a multiple"),
        ("model=nowhere", "nowhere holds no model"),
    ],
)
def test_a_mistake_is_named(
    toy_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], override: str, said: str
) -> None:
    assert main([*command(toy_folder, tmp_path / "run"), override]) == 2
    assert re.search(said, capsys.readouterr().err)


def test_parameters_are_counted_once_wherever_they_are() -> None:
    before = parameters_in_memory()
    tied = torch.nn.Linear(10, 10, bias=False)
    twin = torch.nn.Linear(10, 10, bias=False)
    twin.weight = torch.nn.Parameter(tied.weight.data)
    other = torch.nn.Linear(5, 5, bias=False).half()
    after = parameters_in_memory()
    assert after["memory/parameters"] - before["memory/parameters"] == 125
    assert after["memory/bytes"] - before["memory/bytes"] == 450
    assert other is not None


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_each_iteration_hands_adapters_to_an_engine_and_gives_it_back(tmp_path: Path) -> None:
    write_prompts(tmp_path)
    overrides = ["iterations=2", sources(tmp_path, 24), "optimisation.epochs=1", "machine.micro_batch=8"]
    overrides += ["rollouts={backend: vllm, adapter_every: 2, engine: {cache_gib: 0.1}}"]
    run_alone(*command(TINY_MODEL, tmp_path / "run"), *overrides)
    folders = [tmp_path / "run" / f"iteration-{number}" for number in (1, 2)]
    for folder in folders:
        assert sorted(path.name for path in (folder / "adapters").iterdir()) == ["step-00000002", "step-00000003"]
    runs = [read_metrics(folder) for folder in folders]
    assert [len(lines) for lines in runs] == [3, 3]
    kl = [lines[0]["kl"] for lines in runs]
    assert kl == pytest.approx([0.0] * 2, abs=1e-4), "an engine samples from another iteration's start"
    first, second = (lines[0]["memory/parameters"] for lines in runs)
    assert first > WEIGHTS, "the policy is not in memory"
    assert second == first, "an iteration's engine or policy is still in memory"
