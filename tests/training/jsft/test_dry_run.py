"""Recipes tried out by the command, without a hub."""

from pathlib import Path

import pytest
from selfjudge_training.cli import main


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever asks the hub fails at once."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("name", ["hh", "ultrafeedback", "ultrafeedback-p", "ultrafeedback-pr"])
def test_recipes_for_7b_pass(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jsft", "--config", name, "--dry-run", "--output", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "32 rows, 0 of them malformed" in said
    assert said.endswith("the dry run passed\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers` to `True`:UserWarning:peft")  # right, and wanted
def test_data_of_ones_own_are_read(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = f"[{{format: preferences, path: {toy / 'pairs.jsonl'}}}]"
    overrides = [
        f"data.pairs={sources}",
        f"data.demonstrations={sources}",
        "start.architecture=qwen2",
        "lora={rank: 2}",
    ]
    assert main(["jsft", "--config", "hh", "--dry-run", *overrides]) == 0
    assert "12 pairs from 12 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dry-run", "start.architecture=lama"], "start.architecture is 'lama': no model type of Transformers"),
        (["--dry-run", "--tokenizer", "no/such"], "--tokenizer no/such: no tokenizer there"),
        (["--dry-run", "data.pairs=[{format: hh, path: no.jsonl}]"], "no.jsonl"),
        (["optimisation.bach=3"], "unknown key; accepted are batch"),
        (["--config", "hhh"], "hhh: no such file, and no recipe of this name ships; there are evaluate-judge"),
    ],
)
def test_a_mistake_is_reported(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jsft", "--config", "hh", *arguments]) == 2
    assert said in capsys.readouterr().err
