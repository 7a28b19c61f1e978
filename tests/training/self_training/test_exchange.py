"""Who is handed which adapter, and what lies in its folder."""

from collections.abc import Callable
from pathlib import Path

from accelerate import Accelerator  # type: ignore[import-untyped]  # it ships no py.typed
from peft import PeftModel
from selfjudge_training.self_training.exchange import AdapterExchange, Taker


def test_each_gets_what_is_due(make_policy: Callable[[], PeftModel], tmp_path: Path) -> None:
    often: list[str] = []
    rarely: list[str] = []
    at_the_end: list[str] = []
    takers = [
        Taker(lambda path: often.append(path.name), 2, last=False),
        Taker(lambda path: rarely.append(path.name), 3, last=True),
        Taker(lambda path: at_the_end.append(path.name), None, last=True),
    ]
    exchange = AdapterExchange(make_policy(), tmp_path, Accelerator(cpu=True), takers)
    for step in range(5):
        exchange.hand_over(step)
    exchange.finish(5)
    assert often == ["step-00000000", "step-00000002", "step-00000004"]
    assert rarely == ["step-00000000", "step-00000003", "step-00000005"]
    assert at_the_end == ["step-00000005"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000004", "step-00000005"]


def test_the_files_are_those_that_peft_writes(make_policy: Callable[[], PeftModel], tmp_path: Path) -> None:
    policy = make_policy()
    policy.active_peft_config.task_type = "CAUSAL_LM"  # without which PEFT notes the model's class
    AdapterExchange(policy, tmp_path, Accelerator(cpu=True), [Taker(lambda path: path, 1, last=False)]).hand_over(0)
    policy.save_pretrained(str(tmp_path / "peft"))
    ours, theirs = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("step-00000000", "peft")
    )
    assert theirs.keys() - ours.keys() == {"README.md"}
    assert all(ours[name] == theirs[name] for name in ours)
    assert any(parameter.requires_grad for parameter in policy.parameters())


def test_nothing_is_written_for_nobody(make_policy: Callable[[], PeftModel], tmp_path: Path) -> None:
    exchange = AdapterExchange(make_policy(), tmp_path / "adapters", Accelerator(cpu=True), [])
    exchange.hand_over(0)
    exchange.finish(1)
    assert not (tmp_path / "adapters").exists()
