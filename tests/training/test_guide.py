"""docs/training.md followed by a machine: its files written, its commands run in their order, at a toy's scale.

What takes hours, an engine, a network or several GPUs is checked for what it names, and not run.
"""

import re
import shlex
from itertools import dropwhile
from pathlib import Path

import pytest
from selfjudge_training.cli import main
from selfjudge_training.jsft.jsft_config import JsftConfig
from selfjudge_training.run.config import Section, load_config, recipe_path
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig
from transformers import AutoModelForCausalLM, AutoTokenizer

from experiments.letters.__main__ import main as letters
from selfjudge import Chat, JudgmentEncoder, SafeTokenizer, load_templates

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```yaml (\S+)\n(.*?)```", GUIDE, re.DOTALL))
COMMANDS = [
    list(dropwhile(re.compile(r"[A-Z_]+=").match, shlex.split(line, comments=True)))
    for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    for line in re.findall(r"(?:'[^']*'|[^\n'])+", block.replace("\\\n", " "))
]

_FEW_STEPS = ["optimisation.batch=4", "optimisation.epochs=0.2", "machine.micro_batch=4"]
SMALLER = {
    ("-m", "experiments.letters", "preferences"): ["--rows", "64", "--edits"],
    ("jsft",): ["optimisation.steps=2", "optimisation.batch=4", "optimisation.micro_batch=2"],
    ("self-train",): [*_FEW_STEPS, "rollouts.prompts_per_call=4"],
    ("-m", "experiments.letters", "questions"): ["--count", "6"],
}
"""What is added to a command to make it small."""

CONFIGS: dict[str, type[Section]] = {"jsft": JsftConfig, "self-train": SelfTrainingConfig}


def _arguments(words: list[str]) -> list[str]:
    if "--dry-run" in words:
        return words
    return [*words, *next((more for name, more in SMALLER.items() if tuple(words[: len(name)]) == name), [])]


def _is_run(words: list[str]) -> bool:
    elsewhere = any(what in word for what in ("smollm2", "vllm", "server") for word in words)
    return words[0] in {"selfjudge-train", "python"} and not elsewhere


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the models of the checkout, as the working directory, without a hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "selfjudge").symlink_to(ROOT / "selfjudge")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(900)  # a dozen commands one after the other
@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers` to `True`:UserWarning:peft")
def test_whoever_follows_the_guide_gets_a_model(checkout: Path) -> None:
    (checkout / "build").mkdir()
    for name, content in FILES.items():
        Path(name).write_text(content, encoding="utf-8")
    for words in filter(_is_run, COMMANDS):
        arguments = _arguments(words[1:])
        if words[0] == "python":
            letters(arguments[2:])
        else:
            assert main(arguments) == 0, words
    assert Path("build/mine-judge/report.html").is_file()
    [served] = [words[2].removeprefix("MODEL=") for words in COMMANDS if words[:2] == ["make", "serve"]]
    for folder in (served, "build/mine-iterated/iteration-2/model", "build/mine-offline/model"):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
        assert model.config.vocab_size >= len(tokenizer)
        JudgmentEncoder(Chat(SafeTokenizer(tokenizer)), load_templates()["ultrafeedback"], max_tokens=256)


def test_what_is_not_run_is_accepted(checkout: Path) -> None:
    for words in (words for words in COMMANDS if "selfjudge-train" in words and not _is_run(words)):
        _, command, option, name, *rest = words[words.index("selfjudge-train") :]
        assert option == "--config"
        file = Path(name)
        if name in FILES:
            file = checkout / "config.yaml"
            file.write_text(FILES[name], encoding="utf-8")
        load_config(CONFIGS[command], recipe_path(str(file)), rest[2:])


def test_other_programs_find_what_they_are_given() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {words[1] for words in COMMANDS if words[0] == "make"} <= set(targets)
    for words in COMMANDS:
        assert words[0] in {"selfjudge-train", "python", "make", "accelerate", "curl", "source", "selfjudge-serve"}
        if words[:2] == ["python", "-m"]:
            assert (ROOT / words[2].replace(".", "/") / "__main__.py").is_file()
        if "--config_file" in words:
            assert (ROOT / words[words.index("--config_file") + 1]).is_file()


def test_recipes_named_exist() -> None:
    recipes = re.findall(r"`((?:self-train-)?(?:hh|ultrafeedback|ultrafeedback-pr))`", GUIDE)
    assert recipes
    judgment_templates = set(load_templates())
    for name in set(recipes) - judgment_templates:
        assert recipe_path(name).is_file(), name


def test_metrics_named_are_logged() -> None:
    named = set(re.findall(r"`((?:judgment|text|skipped|judge|sampled|reward|seconds)/\w+)`", GUIDE))
    sources = ("jsft/trainer.py", "self_training/loop.py", "self_training/learner.py")
    logged = "".join((ROOT / "training" / "selfjudge_training" / name).read_text(encoding="utf-8") for name in sources)
    groups = {"judgment/loss", "judgment/right", "text/loss", "text/right"}
    assert named
    for name in named:
        assert (name in groups and f"{name}`" in logged) or f'"{name}"' in logged, name
