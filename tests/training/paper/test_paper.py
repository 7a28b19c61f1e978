"""The whole command on a toy recipe, killed on the way and run again."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from selfjudge_training.cli import main
from selfjudge_training.paper.plan import plan_stages
from selfjudge_training.paper.recipe import PaperRecipe
from selfjudge_training.paper.stages import TIMES
from selfjudge_training.run.config import ConfigError, load_config, recipe_path

TOY = Path(__file__).with_name("toy-recipe.yaml")
COMMAND = (str(Path(sys.executable).with_name("selfjudge-train")), "paper", "--config", str(TOY))


@pytest.fixture
def recipe() -> PaperRecipe:
    return load_config(PaperRecipe, TOY)


def run(tmp_path: Path) -> subprocess.Popen[str]:
    folders = ("--work", str(tmp_path / "work"), "--output", str(tmp_path / "out"))
    return subprocess.Popen((*COMMAND, *folders), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def started_by(pid: int) -> list[int]:
    """Processes whose forefather is the given one, by what the system says of their parents."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def is_running(pid: int) -> bool:
    try:
        stat = Path("/proc", str(pid), "stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes by /proc")
def test_a_killed_run_goes_on_and_reports(tmp_path: Path, recipe: PaperRecipe) -> None:
    work, out = tmp_path / "work", tmp_path / "out"
    killed = run(tmp_path)
    wait_until((work / "offline-0.partial" / "config.yaml").is_file, 400)
    others = started_by(killed.pid)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert others
    # A second run would write to the same folders as what the first has left behind.
    wait_until(lambda: not any(is_running(pid) for pid in others), 20)
    done = {path.name: path.stat().st_ino for path in work.iterdir() if (path / TIMES).is_file()}
    done = {name: number for name, number in done.items() if not name.endswith(".partial")}
    assert {"base", "data", "jm-0"} <= done.keys()
    assert not out.exists()

    again = run(tmp_path)
    said, _ = again.communicate(timeout=800)
    assert again.returncode == 0, said
    assert {name: (work / name).stat().st_ino for name in done} == done
    stages = {stage.name for stage in plan_stages(recipe, work, 2)}
    assert {path.name for path in work.iterdir() if path.is_dir()} == stages | {"logs"}
    check_data(work / "data")
    check_report(out, recipe)


def check_data(folder: Path) -> None:
    """Demonstrations are about the same instructions, by the demonstrators alone."""
    names = ("train.jsonl", "demonstrations.jsonl")
    rows, shown = ([json.loads(line) for line in (folder / name).read_text().splitlines()] for name in names)
    assert [row["instruction"] for row in shown] == [row["instruction"] for row in rows]
    for row, of_demonstrators in zip(rows, shown, strict=True):
        assert [completion["model"] for completion in row["completions"]] == row["models"] == ["step-2", "step-4"]
        assert of_demonstrators["completions"] == row["completions"][:1]
        assert of_demonstrators["models"] == ["step-2"]


def check_report(out: Path, recipe: PaperRecipe) -> None:
    page = (out / "paper.md").read_text(encoding="utf-8")
    content = json.loads((out / "paper.json").read_text(encoding="utf-8"))["results"]
    assert [claim["text"] for claim in content["claims"]] == [
        "JSFT judges better than judge-only training",
        "on-policy beats off-policy beats offline",
        "self-rejection rises with N",
        "principles and rationales raise judge accuracy",
        "iterating helps with diminishing returns",
    ]
    for claim in content["claims"]:
        assert f"| {claim['text']} | **{claim['verdict']}** |" in page
    assert "| Offline | 28.57 | 58.75 | 4.68 |" in page
    assert "| JM-PR | 84.0 |" in page
    assert content["policies"]["jm"]["win_rate"]["mean"] == 0.5
    assert len(content["policies"]["on-policy"]["by_run"]) == len(recipe.self_training.seeds)
    assert [one["number"] for one in content["iterations"]] == [0, 1, 2]
    assert list(content["sweeps"]["JM"]) == ["1", "2", "4"]
    assert content["memory"]["in_process"] > content["memory"]["model"]
    # A second copy of the weights anywhere in the process would make it 2 or more.
    assert content["memory"]["in_process"] < 1.9 * content["memory"]["model"]
    for image in re.findall(r"!\[.*?\]\((.*?)\)", page):
        assert (out / image).stat().st_size > 10_000
    for line in page.splitlines():
        if line.startswith("|--"):
            continue
        assert not line.startswith("|") or line.endswith("|")


def test_our_recipe_is_accepted() -> None:
    recipe = load_config(PaperRecipe, recipe_path("paper"))
    assert len(recipe.self_training.seeds) == 3


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("jsft.stepz=3", r"'jsft\.stepz': unknown key; accepted are batch, rate, replay, seeds, steps"),
        ("pretraining.stepz=3", r"'pretraining\.stepz': unknown key; accepted are batch, checkpoints"),
        ("data.demonstrators=[6]", r"'data\.demonstrators' \[6\] should be among 'data\.responders'"),
        ("data.responders=[2, 3]", r"'data\.responders' \[3\] should be among"),
        ("self_training.prompts=25", r"should be at most 'data\.rows' \(24\)"),
        ("evaluation.sizes=[2, 1]", r"should begin with 1 and ascend"),
        ("self_training.iterations=1", r"greater than or equal to 2"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(PaperRecipe, TOY, [override])


def test_a_folder_belongs_to_one_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text("seed: 5\n", encoding="utf-8")
    (tmp_path / "base").mkdir()
    assert main(["paper", "--config", str(TOY), "--work", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    assert "holds a run with another configuration" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "config.yaml"]
