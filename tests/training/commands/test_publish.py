"""`selfjudge-train publish`: from what a run left to a version that a server can load."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from selfjudge_training.cli import main
from transformers import AutoModelForCausalLM

from selfjudge.adapters import Store, read_base

SHIPPED = "selfjudge/models/selfjudge-tiny"
RUN = f"model: {SHIPPED}\njudge: {{template: ultrafeedback}}\nseed: 3\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run as self-training leaves it, but for its merged model."""
    folder = tmp_path_factory.mktemp("run")
    model = AutoModelForCausalLM.from_pretrained(SHIPPED, dtype=torch.float32, local_files_only=True)
    policy = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    assert isinstance(policy, PeftModel)
    policy.save_pretrained(str(folder / "adapter"))
    (folder / "config.yaml").write_text(RUN)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def publish(folder: Path, *options: str) -> int:
    """Into a store beside the run's folder."""
    beside = folder.parent if (folder / "config.yaml").is_file() else folder.parents[1]
    return main(["publish", str(folder), "--store", str(beside / "store"), "--policy", "judge", *options])


def test_a_run_says_what_it_was_trained_on(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = {"results": {"LLMBar": {"overall": {"accuracy": {"mean": 0.5, "low": 0.4, "high": 0.6}, "pairs": 9}}}}
    (run.parent / "report.json").write_text(json.dumps(report))
    assert publish(run, "--report", str(run.parent / "report.json"), "--metric", "win_rate=0.625") == 0
    store = Store(run.parent / "store")
    [manifest] = store.versions("judge")
    assert (manifest.template, manifest.rank, manifest.parent) == ("ultrafeedback", 4, None)
    assert dict(manifest.metrics) == {"LLMBar/overall/accuracy": 0.5, "win_rate": 0.625}
    assert manifest.recipe["seed"] == 3
    assert store.validate("judge", manifest.version, read_base(Path(SHIPPED)), 8) == manifest
    shown = capsys.readouterr().out
    assert shown.startswith(f"published: judge@{manifest.version}\n")
    assert str(store.folder("judge", manifest.version)) in shown


def test_again_it_is_the_same_version(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(run) == 0
    assert publish(run / "adapter", "--base", SHIPPED, "--template", "ultrafeedback") == 0
    assert "was there already" in capsys.readouterr().out
    assert len(Store(run.parent / "store").versions("judge")) == 1


def test_a_later_one_names_its_parent(run: Path) -> None:
    assert publish(run) == 0
    store = Store(run.parent / "store")
    [first] = store.versions("judge")
    path = run / "adapter" / "adapter_model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(path).items()}, path)
    assert publish(run, "--parent", first.version) == 0
    assert [manifest.parent for manifest in store.versions("judge")] == [None, first.version]


@pytest.mark.parametrize(
    ("folder", "options", "message"),
    [
        ("run/adapter", [], "name its folder with --base"),
        ("run/adapter", ["--base", SHIPPED], "name it by --template"),
        ("run", ["--base", "models"], "holds no base model"),
        ("run", ["--max-rank", "1"], "rank 4 is more than the 1 .* --max-lora-rank 8"),
        ("run", ["--parent", "0123456789abcdef"], "has no version"),
        ("run", ["--policy", "../judge"], "is no name of a policy"),
        ("run", ["--metric", "accuracy=high"], "NAME=VALUE"),
        ("run", ["--metric", "accuracy=nan"], "NAME=VALUE"),
        ("run", ["--report", "pyproject.toml"], "is no report.json"),
        (".", [], "no adapter"),
    ],
)
def test_mistakes_are_named(
    run: Path, capsys: pytest.CaptureFixture[str], folder: str, options: list[str], message: str
) -> None:
    (run.parent / "config.yaml").write_text(RUN)  # of a run that has left no adapter
    store = str(run.parent / "store")
    assert main(["publish", str(run.parent / folder), "--store", store, "--policy", "judge", *options]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not Store(run.parent / "store").policies()
