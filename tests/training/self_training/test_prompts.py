"""Which prompts there are, and which a step takes."""

import gzip
import json
from pathlib import Path

import pytest
from selfjudge_training.data.source import DataError, Source
from selfjudge_training.rollouts.base import encode_prompts
from selfjudge_training.run.config import ConfigError
from selfjudge_training.self_training.loop import batch_of_step
from selfjudge_training.self_training.prompts import gather_prompts
from selfjudge_training.self_training.self_training_config import Prompts
from transformers import PreTrainedTokenizerBase

from selfjudge import Chat, SafeTokenizer


def test_every_epoch_takes_each_prompt_once_in_another_order() -> None:
    taken = [index for step in range(10) for index in batch_of_step(25, 5, step, seed=0)]
    first, second = taken[:25], taken[25:]
    assert sorted(first) == sorted(second) == list(range(25))
    assert first != second


def test_batches_cross_the_ends_of_epochs() -> None:
    taken = [index for step in range(6) for index in batch_of_step(10, 4, step, seed=3)]
    assert [sorted(taken[:10]), sorted(taken[10:20])] == [list(range(10))] * 2


@pytest.fixture
def chat(tokenizer: PreTrainedTokenizerBase) -> Chat:
    return Chat(SafeTokenizer(tokenizer))


def test_prompts_that_are_too_long_are_counted(chat: Chat, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"prompt": "Add 1 and 4." + " Now!" * n, "chosen": "5", "rejected": "6"} for n in range(20)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = Prompts(sources=(Source(format="preferences", path=tmp_path / "rows.jsonl"),))
    every = gather_prompts(chat, config, longest=200)
    assert len(every) == 20
    middle = sorted(len(prompt.ids) for prompt in every)[10]
    gathered = gather_prompts(chat, config, longest=middle)
    assert gathered == [prompt for prompt in every if len(prompt.ids) <= middle]
    assert f"{20 - len(gathered)} left out as longer than {middle} tokens" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="none of 20 has room in 2 tokens"):
        gather_prompts(chat, config, longest=2)


def test_sources_that_give_nothing_say_why(chat: Chat, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text('{"prompt": "Hi"}\n', encoding="utf-8")
    config = Prompts(sources=(Source(format="preferences", path=tmp_path / "none.jsonl"),))
    with pytest.raises(DataError, match=r"none\.jsonl:1: chosen: Field required\nthe sources give no prompt"):
        gather_prompts(chat, config, longest=200)


def test_prompts_of_a_data_set_get_the_system_message(
    chat: Chat, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"prompt": text, "chosen": "x", "rejected": "y"} for text in ("Add 3 and 4.", "Add 5 and 4.", "Add 3 and 4.")
    ]
    file = tmp_path / "pairs.jsonl.gz"
    file.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    config = Prompts(sources=(Source(format="preferences", path=file),), system="Be right.")
    gathered = gather_prompts(chat, config, longest=200)
    assert [prompt.conversation[-1]["content"] for prompt in gathered] == ["Add 3 and 4.", "Add 5 and 4."]
    assert all(prompt.asked[0] == {"role": "system", "content": "Be right."} for prompt in gathered)
    assert capsys.readouterr().out.startswith("3 conversations from 3 rows, 0 of them malformed\n")


def test_prompts_of_ultrafeedback_are_answered_under_the_default_system_message(chat: Chat, tmp_path: Path) -> None:
    def completion(response: str, rating: str) -> dict[str, object]:
        notes = {"honesty": {"Rating": rating, "Rationale": "So."}}
        return {"response": response, "custom_system_prompt": "Be brief.", "annotations": notes}

    file = tmp_path / "rows.jsonl"
    row = {"instruction": "Add 3 and 4.", "completions": [completion("7", "5"), completion("8", "1")]}
    file.write_text(json.dumps(row), encoding="utf-8")
    config = Prompts(sources=(Source(format="ultrafeedback", path=file),), system="Be right.")
    [prompt] = gather_prompts(chat, config, longest=200)
    assert prompt.conversation == [{"role": "user", "content": "Add 3 and 4."}], "the judge has a message of its own"
    assert prompt.asked == [{"role": "system", "content": "Be right."}, *prompt.conversation]
    assert prompt.ids == encode_prompts(chat, [prompt.asked])[0]
