"""Evaluation by a running server is evaluation by the folder it serves."""

import json
from pathlib import Path
from typing import Any

import pytest
from selfjudge_training.cli import main

from tests.end_to_end.serving import Server
from tests.training.evaluation.questions import write_questions


def test_a_server_judges_and_answers_as_its_folder_does(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_KEY", server.key)
    at = f"{{kind: server, at: '{server.url}/v1', model: {server.model}, key_variable: SERVER_KEY}}"

    def figures(command: str, name: str, *overrides: str) -> dict[str, Any]:
        assert main(["evaluate", command, "--output", str(tmp_path / name), *overrides]) == 0
        results: dict[str, Any] = json.loads((tmp_path / name / "report.json").read_text(encoding="utf-8"))["results"]
        return results

    asked = write_questions(tmp_path / "questions.json", 12)
    small = (f"sampled.questions={asked}", "sampled.samples=3")
    by_folder = figures("judge", "folder", *small)["Right against sampled answers"]
    by_server = figures("judge", "server", *small, f"judge={at}")["Right against sampled answers"]
    assert by_server["overall"]["pairs"] == by_folder["overall"]["pairs"]
    for name in ("accuracy", "place_a", "label_mass"):
        assert by_server["overall"][name] == pytest.approx(by_folder["overall"][name], abs=1e-3)
    assert by_server["calibration"]["brier"] == pytest.approx(by_folder["calibration"]["brier"], abs=1e-3)

    sizes = (f"questions={asked}", "sweep.sizes=[1, 4]", "sweep.groups=1")
    answered = figures("policy", "policy", *sizes, f"policy={at}")
    assert answered["answers"]["questions"] == 12
    assert [point["n"] for point in answered["sweep"]] == [1, 4]
