"""Reading aiperf's records: data/ has some that version 0.13.0 wrote, without most of their metadata."""

from pathlib import Path

import pytest

from loadtests.scenarios import aiperf
from loadtests.scenarios.aiperf import MissingError, Target, read, require_aiperf
from loadtests.scenarios.cells import Cell

DATA = Path(__file__).with_name("data")
CELL = Cell(4, 2.0, "tasks", streaming=True, swap_seconds=None, seconds=5)
TARGET = Target("http://127.0.0.1:1", "a-model", Path("model"), 32)


def test_streams_have_a_first_progress_event_before_their_answer() -> None:
    """Not the comment that a stream begins with at once, and not the first token, which comes with the answer."""
    records = read(DATA / "streamed.jsonl")
    assert [record.status for record in records] == [200, 200, 200]
    assert [record.progress for record in records] == pytest.approx([1.5406, 0.8159, 1.4258], abs=1e-3)
    assert [record.seconds for record in records] == pytest.approx([3.2053, 1.3073, 2.0733], abs=1e-3)
    assert records[0].sent == 0
    assert all(0 <= record.late < 0.1 for record in records)


def test_whole_answers_have_no_progress() -> None:
    records = read(DATA / "whole.jsonl")
    assert [record.progress for record in records] == [None, None]
    assert records[0].seconds == pytest.approx(3.4336, abs=1e-3)
    assert records[1].sent > 0


def test_options_ask_for_poisson_arrivals_and_progress() -> None:
    words = aiperf._arguments(TARGET, CELL, Path("folder/prompts.jsonl"), seed=3)
    options = dict(zip(words[1::2], words[2::2], strict=False))
    assert options["--arrival-pattern"] == "poisson"
    assert options["--request-rate"] == "2"
    assert options["--request-count"] == "10"
    assert options["--extra-inputs"] == (
        '{"max_tokens": 32, "temperature": 1.0, "best_of_n": 4, "self_rejection": {"include": ["progress"]}}'
    )
    assert "--streaming" in words


def test_plain_requests_are_asked_for_as_any_client_does() -> None:
    words = aiperf._arguments(TARGET, CELL._replace(best_of_n=1, streaming=False), Path("prompts.jsonl"), seed=3)
    assert '{"max_tokens": 32, "temperature": 1.0}' in words
    assert "--streaming" not in words


def test_prompts_of_letters_have_their_length_and_differ() -> None:
    prompts = aiperf._prompts(CELL._replace(prompt=50), seed=1)
    assert {len(prompt.split()) for prompt in prompts} == {50}
    assert len(set(prompts)) == len(prompts)
    assert prompts != aiperf._prompts(CELL._replace(prompt=50), seed=2)


def test_without_aiperf_one_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(aiperf, "PROGRAM", tmp_path / "aiperf")
    with pytest.raises(MissingError, match="`make aiperf` puts aiperf there"):
        require_aiperf()


async def test_what_aiperf_says_when_it_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "aiperf"
    program.write_text("#!/bin/sh\necho no such option >&2\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setattr(aiperf, "PROGRAM", program)
    with pytest.raises(RuntimeError, match="aiperf ended with 2:\nno such option"):
        await aiperf.run(TARGET, CELL, tmp_path, seed=1)


async def test_requests_that_were_not_sent_are_missed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "aiperf"
    program.write_text(f"#!/bin/sh\ncp {DATA / 'streamed.jsonl'} {tmp_path / 'profile_export_raw.jsonl'}\n")
    program.chmod(0o755)
    monkeypatch.setattr(aiperf, "PROGRAM", program)
    with pytest.raises(RuntimeError, match="was to send 10 requests and recorded 3"):
        await aiperf.run(TARGET, CELL, tmp_path, seed=1)
    three = CELL._replace(seconds=1.5)
    assert len(await aiperf.run(TARGET, three, tmp_path, seed=1)) == 3
