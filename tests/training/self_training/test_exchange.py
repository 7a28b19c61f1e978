"""Who is handed which adapter, what lies in its folder, and which versions a run publishes while it trains."""

from collections.abc import Callable
from pathlib import Path

import pytest
from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from peft import PeftModel
from selfjudge_training.run.config import ConfigError
from selfjudge_training.self_training.exchange import AdapterExchange, Taker
from selfjudge_training.self_training.self_training_stage import self_train

from selfjudge.adapters import Manifest, Store, read_base
from tests.training.self_training.conftest import toy

STEPS = 6


def test_each_gets_what_is_due(make_policy: Callable[[], PeftModel], tmp_path: Path) -> None:
    often: list[str] = []
    rarely: list[str] = []
    at_the_end: list[str] = []
    takers = [
        Taker(lambda path: often.append(path.name), 2),
        Taker(lambda path: rarely.append(path.name), 3),
        Taker(lambda path: at_the_end.append(path.name), None),
    ]
    exchange = AdapterExchange(make_policy(), tmp_path, Accelerator(cpu=True), takers)
    for step in range(5):
        exchange.hand_over(step)
    exchange.hand_over(5, last=True)
    assert often == ["step-00000000", "step-00000002", "step-00000004", "step-00000005"]
    assert rarely == ["step-00000000", "step-00000003", "step-00000005"]
    assert at_the_end == ["step-00000005"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000004", "step-00000005"]


def test_nothing_is_written_for_nobody(make_policy: Callable[[], PeftModel], tmp_path: Path) -> None:
    exchange = AdapterExchange(make_policy(), tmp_path / "adapters", Accelerator(cpu=True), [])
    exchange.hand_over(0)
    exchange.hand_over(1, last=True)
    assert not (tmp_path / "adapters").exists()


def published(store: Path, model: Path) -> list[Manifest]:
    """Versions of `chat`, each found sound."""
    base = read_base(model)
    return [Store(store).validate("chat", one.version, base) for one in Store(store).versions("chat")]


def test_a_run_publishes_the_start_then_every_so_often_and_the_end(toy_folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    config = toy(toy_folder, f"publish={{store: {store}, policy: chat, every: 2}}", "rollouts.adapter_every=2")
    self_train(config, tmp_path / "run")
    versions = published(store, toy_folder)
    assert [one.metrics.get("training/step", 0) for one in versions] == [0, 2, 4, STEPS]
    assert [one.parent for one in versions] == [None, *(one.version for one in versions[:-1])]
    assert versions[-1].recipe == config.model_dump(mode="json")
    assert "training/kl" in versions[-1].metrics
    last = (tmp_path / "run" / "adapter" / "adapter_model.safetensors").read_bytes()
    assert (Store(store).folder("chat", versions[-1].version) / "adapter_model.safetensors").read_bytes() == last

    # Killed before it left its model: it goes on, and publishes what is there already.
    (tmp_path / "run" / "model").rename(tmp_path / "gone")
    self_train(config, tmp_path / "run")
    assert published(store, toy_folder) == versions


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["rollouts.backend=server"], "'rollouts.backend' server needs 'publish'"),
        (["rollouts.backend=server", "publish.every=2"], r"'publish\.every' should be left out"),
        (["publish.every=3"], r"'machine\.checkpoint_every' \(2\) should be a multiple of 'publish\.every' \(3\)"),
        (["iterations=2", "publish.every=2"], r"'iterations' \(2\) should be 1 with 'publish'"),
        (["publish.policy=Chat/1"], r"publish\.policy"),
        (["publish.often=1"], r"'publish\.often': unknown key; accepted are every, policy, store"),
    ],
)
def test_a_mistake_is_named(toy_folder: Path, overrides: list[str], said: str) -> None:
    section = ["publish={store: store, policy: chat}"] if any("publish" in one for one in overrides) else []
    with pytest.raises(ConfigError, match=said):
        toy(toy_folder, *section, *overrides)
