"""The whole stage on a toy model: what it learns, what it writes, and that nothing can make it come out otherwise."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from selfjudge_training.data.source import DataError, Source
from selfjudge_training.jsft.batches import collate
from selfjudge_training.jsft.examples import EXAMPLES, kept_examples
from selfjudge_training.jsft.jsft_config import Evaluation, JsftConfig, Lora
from selfjudge_training.jsft.jsft_stage import run_jsft
from selfjudge_training.jsft.trainer import JsftTrainer
from selfjudge_training.run.checkpoint import latest_checkpoint
from selfjudge_training.run.config import ConfigError
from selfjudge_training.run.metrics import read_metrics
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from selfjudge import Chat, SafeTokenizer
from selfjudge.adapters.check import WEIGHTS

SCRIPT = Path(__file__).with_name("interrupted.py")


def with_optimisation(config: JsftConfig, **changes: object) -> JsftConfig:
    return config.model_copy(update={"optimisation": config.optimisation.model_copy(update=changes)})


def weights(model: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = load_file(model / "model.safetensors")
    return found


def assert_equal(first: Path, second: Path) -> None:
    """Bit for bit."""
    one, other = weights(first), weights(second)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def in_a_process(config: JsftConfig, folder: Path, place: str, launcher: Sequence[str] = ()) -> int:
    command = [sys.executable, *launcher, str(SCRIPT), config.model_dump_json(), str(folder), place]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    print(done.stdout, done.stderr)
    return done.returncode


def test_it_learns_and_leaves_a_model_folder_and_metrics(config: JsftConfig, tmp_path: Path) -> None:
    model = run_jsft(with_optimisation(config, epochs=8, weighting="examples"), tmp_path / "run")
    metrics = read_metrics(tmp_path / "run")
    assert [line["step"] for line in metrics] == list(range(1, 33))
    assert metrics[-1]["loss"] < 0.7 * metrics[0]["loss"]
    assert {"judgment/loss", "judgment/right", "text/loss", "text/right", "learning_rate"} <= metrics[0].keys()
    assert AutoTokenizer.from_pretrained(model).chat_template
    assert AutoModelForCausalLM.from_pretrained(model).dtype == torch.float32
    assert not (tmp_path / "run" / "trained").exists()
    assert not (tmp_path / "run" / EXAMPLES).exists()


def test_all_forms_are_learned_in_one_run(all_forms: JsftConfig, tmp_path: Path) -> None:
    run_jsft(with_optimisation(all_forms, epochs=6), tmp_path)
    *_, last = metrics = [line for line in read_metrics(tmp_path) if "loss" in line]
    assert len(metrics) == 60
    assert last["loss"] < 0.7 * metrics[0]["loss"]
    forms = {key for line in metrics for key in line if key.endswith("/right")}
    assert forms == {f"{form}/right" for form in ("judgment", "document", "pair", "score", "text")}
    measured = [line for line in read_metrics(tmp_path) if "held_out/score/right" in line]
    assert [line["step"] for line in measured] == list(range(5, 61, 5))
    assert measured[0]["held_out/judgment/loss"] == measured[0]["held_out/score/loss"]
    assert "held_out/document/right" not in measured[0]


def test_scores_alone_are_a_run(all_forms: JsftConfig, tmp_path: Path) -> None:
    data = all_forms.data.model_copy(update={"demonstrations": (), "pairs": (), "template": ()})
    run_jsft(all_forms.model_copy(update={"data": data}), tmp_path)
    assert [line["step"] for line in read_metrics(tmp_path) if "loss" in line] == [1, 2, 3]


def for_small_models(config: JsftConfig) -> JsftConfig:
    """With all that a model needs that starts from little, and measured on the pairs that it learns."""
    config = with_optimisation(config, weighting="examples", optimizer="muon", matrix_learning_rate=0.01)
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"replay": 0.3}),
            "evaluation": Evaluation(pairs=config.data.pairs, every=2),
        }
    )


def test_muon_changes_the_matrices_and_held_out_pairs_are_measured(config: JsftConfig, tmp_path: Path) -> None:
    model = run_jsft(for_small_models(with_optimisation(config, learning_rate=1e-9)), tmp_path)
    before, after = weights(Path(config.start.path)), weights(model)
    moved = {name for name, values in before.items() if not torch.allclose(values, after[name], atol=1e-6)}
    assert moved == {name for name in before if name.endswith("_proj.weight")}
    measured = {line["step"]: line for line in read_metrics(tmp_path) if "held_out/judgment/right" in line}
    assert list(measured) == [2, 4, 6, 8]
    assert all(0 <= line["held_out/judgment/right"] <= 1 for line in measured.values())


@pytest.mark.parametrize("weighting", ["tokens", "examples"])
def test_the_first_loss_is_the_weighted_mean_over_the_step(config: JsftConfig, tmp_path: Path, weighting: str) -> None:
    """Computed anew, one example at a time, over a step of all 36 examples: accumulation changes nothing."""
    config = with_optimisation(config, batch=36, micro_batch=6, steps=1, weighting=weighting)
    run_jsft(config, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(config.start.path)
    model = AutoModelForCausalLM.from_pretrained(config.start.path, dtype=torch.float32)
    chat = Chat(SafeTokenizer(tokenizer))
    examples = kept_examples(config.data, chat, config.seed, tmp_path / "again", begun=False)
    total = weight = 0.0
    for example in examples:
        batch = collate([example], pad_id=tokenizer.pad_token_id, weighting=config.optimisation.weighting)
        with torch.no_grad():
            logprobs = model(batch["input_ids"]).logits[0, :-1].log_softmax(-1)
        losses = -logprobs.gather(1, batch["input_ids"][0, 1:, None])[:, 0]
        total += float((losses * batch["weights"][0, 1:]).sum())
        weight += float(batch["weights"].sum())
    assert read_metrics(tmp_path)[0]["loss"] == pytest.approx(total / weight, rel=1e-5)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_every_schedule_warms_up(config: JsftConfig, tmp_path: Path, schedule: str) -> None:
    run_jsft(with_optimisation(config, schedule=schedule, warm_up=0.5, steps=4), tmp_path)
    rates = [line["learning_rate"] for line in read_metrics(tmp_path)]
    assert rates[:3] == pytest.approx([0.0, 0.0015, 0.003])
    assert (rates[3] == rates[2]) == (schedule == "constant")


def test_an_adapter_is_merged_into_the_weights(config: JsftConfig, tmp_path: Path) -> None:
    config = config.model_copy(update={"lora": Lora(rank=4, dropout=0.1)})
    model = run_jsft(config, tmp_path)
    start = AutoModelForCausalLM.from_pretrained(config.start.path, dtype=torch.float32)
    ids = torch.arange(10, 30)[None]
    before = start(ids).logits
    adapted = PeftModel.from_pretrained(start, tmp_path / "adapter").eval()(ids).logits
    merged = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)(ids).logits
    torch.testing.assert_close(merged, adapted, atol=1e-5, rtol=1e-4)
    assert (merged - before).abs().max() > 1e-3


def test_an_adapter_is_kept_in_the_type_that_was_asked_for(config: JsftConfig, tmp_path: Path) -> None:
    for precision in ("float32", "bfloat16"):
        machine = config.machine.model_copy(update={"adapter_precision": precision})
        changes = {"lora": Lora(rank=4), "machine": machine}
        run_jsft(with_optimisation(config, steps=1).model_copy(update=changes), tmp_path / precision)
    whole, half = (load_file(tmp_path / name / "adapter" / WEIGHTS) for name in ("float32", "bfloat16"))
    assert whole.keys() == half.keys()
    assert all(torch.equal(half[name], tensor.bfloat16()) for name, tensor in whole.items())


def test_the_head_scores_targets_only(config: JsftConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    hook = JsftTrainer._keep_targets

    def watched(this: JsftTrainer, *arguments: Any) -> None:  # noqa: ANN401
        hook(this, *arguments)
        seen.append(tuple(arguments[-1].last_hidden_state.shape[:2]))

    monkeypatch.setattr(JsftTrainer, "_keep_targets", watched)
    data = config.data.model_copy(update={"demonstrations": ()})
    run_jsft(with_optimisation(config, steps=1).model_copy(update={"data": data}), tmp_path)
    assert seen == [(1, 8), (1, 8)], "a micro-batch of four judgments has four choices and four ends"


@pytest.mark.parametrize("lora", [None, Lora(rank=4, dropout=0.0)])
def test_gradient_checkpointing_changes_nothing_but_memory(
    config: JsftConfig, tmp_path: Path, lora: Lora | None
) -> None:
    config = with_optimisation(config, steps=2).model_copy(update={"lora": lora})
    saving = config.model_copy(update={"machine": config.machine.model_copy(update={"gradient_checkpointing": True})})
    plain, saved = weights(run_jsft(config, tmp_path / "plain")), weights(run_jsft(saving, tmp_path / "saving"))
    for name, values in plain.items():
        torch.testing.assert_close(saved[name], values, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("place", "left_at"), [("step", 3), ("checkpoint", 3), ("model", 8)])
def test_killed_anywhere_it_resumes_to_the_same_weights(
    config: JsftConfig, tmp_path: Path, place: str, left_at: int
) -> None:
    """Adapters with dropout, so that the state of the random numbers matters too."""
    config = config.model_copy(update={"lora": Lora(rank=4, dropout=0.1)})
    assert in_a_process(config, tmp_path / "killed", place) == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model").exists()
    checkpoint = latest_checkpoint(tmp_path / "killed")
    assert checkpoint is not None
    assert checkpoint.step == left_at
    resumed, whole = run_jsft(config, tmp_path / "killed"), run_jsft(config, tmp_path / "whole")
    assert_equal(resumed, whole)
    logged = [[(line["step"], line["loss"]) for line in read_metrics(tmp_path / run)] for run in ("killed", "whole")]
    assert logged[0] == logged[1]


@pytest.mark.slow
def test_full_fine_tuning_resumes_to_the_same_weights(all_forms: JsftConfig, tmp_path: Path) -> None:
    config = for_small_models(all_forms)
    assert in_a_process(config, tmp_path / "killed", "step") == -signal.SIGKILL
    assert_equal(run_jsft(config, tmp_path / "killed"), run_jsft(config, tmp_path / "whole"))


@pytest.mark.slow
def test_two_processes_give_what_one_gives(all_forms: JsftConfig, tmp_path: Path) -> None:
    config = all_forms
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--num_machines=1"]
    launch += ["--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0"]
    assert in_a_process(config, tmp_path / "two", "never", launch) == 0
    one, two = weights(run_jsft(config, tmp_path / "one")), weights(tmp_path / "two" / "model")
    for name, values in one.items():
        torch.testing.assert_close(two[name], values, atol=1e-5, rtol=1e-4)
    start = weights(Path(config.start.path))
    assert any((one[name] - start[name]).abs().max() > 1e-2 for name in one)
    for line, other in zip(read_metrics(tmp_path / "one"), read_metrics(tmp_path / "two"), strict=True):
        losses = {name: value for name, value in line.items() if name.endswith("loss")}
        assert losses
        assert {name: other[name] for name in losses} == pytest.approx(losses, rel=1e-4)


def test_what_was_finished_is_not_done_again(config: JsftConfig, tmp_path: Path) -> None:
    config = with_optimisation(config, steps=1)
    model = run_jsft(config, tmp_path)
    written = (model / "model.safetensors").stat().st_mtime_ns
    assert run_jsft(config, tmp_path) == model
    assert (model / "model.safetensors").stat().st_mtime_ns == written
    with pytest.raises(ConfigError, match=r"optimisation\.learning_rate: 0\.003 there, 0\.004 now"):
        run_jsft(with_optimisation(config, learning_rate=0.004), tmp_path)


def test_a_mistake_that_is_seen_before_training_leaves_the_folder_to_others(config: JsftConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no multiple"):
        run_jsft(with_optimisation(config, batch=7), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run(config: JsftConfig, tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match=r"lower optimisation\.learning_rate"):
        run_jsft(with_optimisation(config, learning_rate=1e30, warm_up=0.0), tmp_path)


def test_sources_that_give_nothing_are_said_to(config: JsftConfig, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text('{"prompt": "Hi"}\n', encoding="utf-8")
    nothing = (Source(format="preferences", path=tmp_path / "none.jsonl"),)
    data = config.data.model_copy(update={"demonstrations": nothing, "pairs": nothing})
    with pytest.raises(DataError, match="the sources give no example"):
        run_jsft(config.model_copy(update={"data": data}), tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"start": {"path": "no/such/model", "architecture": "llama"}}, r"start\.path 'no/such/model'"),
        ({"start": {"path": "selfjudge/models/selfjudge-tiny", "architecture": "qwen2"}}, "is 'llama'"),
        (
            {"data": {"template": "pear"}},
            r"data\.template: 'pear' is unknown; known are hh-helpful, in-place-pair, ultrafeedback",
        ),
        (
            {"optimisation": {"batch": 7}},
            "is 7, which is no multiple of optimisation.micro_batch 4 times 1 processes",
        ),
        ({"optimisation": {"batch": 64}}, "36 examples do not fill a batch of 64"),
        ({"data": {"template": ["ultrafeedback", "ultrafeedback-principle"]}}, "judges under principles, and so by"),
        ({"data": {"max_length": 513}}, r"data\.max_length: 513 is more than the context of 512"),
    ],
)
def test_a_mistake_says_what_would_do(
    config: JsftConfig,
    tmp_path: Path,
    changes: dict[str, dict[str, object]],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    content = config.model_dump(exclude_unset=True)
    for section, values in changes.items():
        content[section] |= values
    with pytest.raises(ConfigError, match=said):
        run_jsft(JsftConfig.model_validate(content), tmp_path)
