"""A model that is not there is reported at once, by the key that names it, whether the hub answers or not."""

from pathlib import Path

import pytest
from selfjudge_training.cli import main
from selfjudge_training.evaluation.evaluation_config import JudgeConfig
from selfjudge_training.run.config import ConfigError, load_config, recipe_path
from selfjudge_training.run.named_model import find_model, require_folder, require_model

from selfjudge.shipped import TINY_MODEL

SHIPPED = TINY_MODEL


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the hub is asked for; it has nothing."""
    addresses: list[str] = []

    def refuse(url: str, *, timeout: float) -> None:
        addresses.append(url)
        assert timeout <= 10
        raise TimeoutError("no answer")

    monkeypatch.setattr("selfjudge_training.run.named_model.get_hf_file_metadata", refuse)
    return addresses


def test_a_folder_is_enough(asked: list[str]) -> None:
    require_folder(SHIPPED, "model")
    require_model(str(SHIPPED), "start.path")
    assert asked == []


def test_a_name_of_the_hub_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfjudge_training.run.named_model.get_hf_file_metadata", lambda _url, **_: None)
    require_model("someone/some-model", "start.path")


def test_what_is_in_the_hubs_cache_needs_no_hub(
    monkeypatch: pytest.MonkeyPatch, asked: list[str], tmp_path: Path
) -> None:
    cached = tmp_path / "config.json"
    monkeypatch.setattr("selfjudge_training.run.named_model.try_to_load_from_cache", lambda *_: str(cached))
    require_model("someone/some-model", "start.path")
    assert asked == []


def test_the_hub_is_asked_once(asked: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"^start\.path 'models/tinny': no such folder here, and not .*: no answer$"):
        require_model("models/tinny", "start.path")
    [address] = asked
    assert address.endswith("/models/tinny/resolve/main/config.json")


def test_the_model_that_ships_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_model("selfjudge-tiny") == str(SHIPPED)
    assert find_model("other") == "other"
    (tmp_path / "selfjudge-tiny").mkdir()
    assert find_model("selfjudge-tiny") == "selfjudge-tiny"


def test_evaluations_find_it_outside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    judge = load_config(JudgeConfig, recipe_path("evaluate-judge"))
    assert judge.sampled is not None
    assert (judge.judge.at, judge.judge.name, judge.sampled.policy.at) == (str(SHIPPED), "selfjudge-tiny", str(SHIPPED))


@pytest.mark.parametrize("name", ["/no/such/model", "../model", "a b"])
def test_what_can_be_no_name_is_not_asked_for(asked: list[str], name: str) -> None:
    with pytest.raises(ConfigError, match="names are like"):
        require_model(name, "start.path")
    assert asked == []


def test_a_folder_of_something_else_is_named(tmp_path: Path, asked: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"start\.path: .* holds no model \(no config\.json\)"):
        require_model(str(tmp_path), "start.path")
    with pytest.raises(ConfigError, match=r"^model: .* holds no model \(no config\.json\)"):
        require_folder(tmp_path, "model")
    assert asked == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["jsft", "start.path=models/tinny"], "start.path 'models/tinny': no such folder"),
        (["data", "stats", "start.path=models/tinny"], "start.path 'models/tinny': no such folder"),
        (["data", "stats", "--tokenizer", "tinny"], "--tokenizer 'tinny': no such folder"),
        (["self-train", "model=models/tinny"], "model: models/tinny holds no model"),
        (["self-train", "arm=off-policy", "model=models/tinny"], "model: models/tinny holds no model"),
        (["self-train", "arm=offline", "model=models/tinny"], "model: models/tinny holds no model"),
    ],
)
def test_commands_say_so(
    command: list[str],
    said: str,
    tmp_path: Path,
    asked: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = [] if command[0] == "data" else ["--output", str(tmp_path / "run")]
    assert main([*command[: 1 + (command[0] == "data")], *output, *command[1 + (command[0] == "data") :]]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert len(asked) == (command[0] in ("jsft", "data"))
