"""Configurations tried out by the command, without a hub."""

import json
from pathlib import Path

import pytest
from selfjudge_training.cli import main


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever asks the hub fails at once."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A source of one's own, of twelve pairs."""
    rows = [{"prompt": f"Add {n} and 4.", "chosen": str(n + 4), "rejected": str(n)} for n in range(12)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return f"[{{format: preferences, path: {tmp_path / 'pairs.jsonl'}}}]"


@pytest.mark.parametrize("name", ["hh", "ultrafeedback-pr"])
def test_recipes_of_jsft_pass(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ["evaluation.pairs=[{format: ultrafeedback, hub: no/such}]"]
    assert main(["jsft", "--config", name, "--dry-run", "--output", str(tmp_path / "run"), *overrides]) == 0
    said = capsys.readouterr().out
    assert "32 rows, 0 of them malformed" in said
    assert said.endswith("the dry run passed\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arm", ["on-policy", "off-policy", "offline"])
def test_recipes_of_self_training_pass(arm: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = "self-train-ultrafeedback-pr" if arm == "on-policy" else "self-train-hh"
    assert main(["self-train", "--config", name, "--dry-run", f"arm={arm}"]) == 0
    assert capsys.readouterr().out.endswith("the dry run passed\n")


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers` to `True`:UserWarning:peft")  # right, and wanted
def test_data_of_ones_own_are_read(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = [f"data.pairs={mine}", f"data.demonstrations={mine}", "start.architecture=qwen2", "lora={rank: 2}"]
    assert main(["jsft", "--config", "hh", "--dry-run", *overrides]) == 0
    assert "12 pairs from 12 rows" in capsys.readouterr().out


def test_recipes_of_the_model_that_ships_work_outside_a_checkout(
    mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["jsft", "--dry-run", f"data.pairs={mine}", f"data.demonstrations={mine}"]) == 0
    assert main(["self-train", "--dry-run", f"prompts.sources={mine}"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jsft", "--dry-run", "start.architecture=lama"], "architecture is 'lama': no model type of Transformers"),
        (["self-train", "--dry-run", "architecture=lama"], "architecture is 'lama': no model type of Transformers"),
        (["jsft", "--dry-run", "--tokenizer", "no/such"], "--tokenizer no/such: no tokenizer there"),
        (["jsft", "--dry-run", "data.pairs=[{format: hh, path: no.jsonl}]"], "no.jsonl"),
        (["jsft", "optimisation.bach=3"], "unknown key; accepted are batch"),
        (["jsft", "--config", "hhh"], "hhh: no such file, and no recipe of this name ships; there are evaluate-judge"),
    ],
)
def test_a_mistake_is_reported(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
