"""Conversations for a strict chat template: system messages are folded, what it refuses is counted with its line."""

import json
import re
from functools import partial
from pathlib import Path

import pytest
from selfjudge_training.data.examples.shown import as_shown, require_dialogue
from selfjudge_training.data.load import load_demonstrations
from selfjudge_training.data.source import DataError, Source
from selfjudge_training.self_training.buffer import given_pairs
from selfjudge_training.self_training.prompts import gather_prompts
from selfjudge_training.self_training.self_training_config import Prompts, SelfTrainingConfig
from transformers import AutoTokenizer

from selfjudge import Chat, SafeTokenizer, dialogue_example

# As Mistral's: user and assistant in turn, and no system message.
STRICT = (
    "{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate user/assistant') }}{% endif %}"
    "{% if message.role == 'user' %}[INST] {{ message.content }} [/INST]"
    "{% elif message.role == 'assistant' %}{{ message.content }}{{ eos_token }}"
    "{% else %}{{ raise_exception('only user and assistant') }}{% endif %}{% endfor %}"
)
SYSTEM, USER = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Sky?"}
BLUE = {"role": "assistant", "content": "blue"}


@pytest.fixture(scope="module")
def chat() -> Chat:
    return Chat(SafeTokenizer(AutoTokenizer.from_pretrained("selfjudge/models/selfjudge-tiny")))


@pytest.fixture(scope="module")
def strict() -> Chat:
    return Chat(SafeTokenizer(AutoTokenizer.from_pretrained("selfjudge/models/selfjudge-tiny")), STRICT)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    prompts = [[USER], [USER, USER], [SYSTEM, USER], [BLUE, USER], [USER, SYSTEM, USER], [USER, BLUE, USER]]
    rows = [{"prompt": prompt, "chosen": "blue", "rejected": "green"} for prompt in prompts]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return Source(format="preferences", path=tmp_path / "rows.jsonl")


def test_a_system_message_without_a_place_goes_to_the_head_of_the_first_turn(chat: Chat, strict: Chat) -> None:
    folded = {"role": "user", "content": "Be brief.\n\nSky?"}
    assert as_shown(chat, [USER], "Be brief.") == [SYSTEM, USER]
    assert as_shown(strict, [USER], "Be brief.") == [folded]
    assert as_shown(strict, [SYSTEM, USER, BLUE, USER], "Be long.") == [folded, BLUE, USER]
    dialogue_example(strict, [*as_shown(strict, [USER], "Be brief."), BLUE])


def test_refused_rows_are_counted_with_line_and_reason(strict: Chat, source: Source) -> None:
    fit = partial(require_dialogue, strict, system="Be brief.")
    loaded = load_demonstrations([source], fit=fit)
    assert len(loaded.records) == 3
    assert [re.findall(r"jsonl:(\d+): ", problem) for problem in loaded.malformed] == [["2"], ["4"], ["5"]]
    assert loaded.malformed[0].endswith(
        "given roles user, user, assistant: refuses: roles must alternate user/assistant"
    )
    with pytest.raises(DataError, match=r"rows\.jsonl:2: .*roles must alternate"):
        load_demonstrations([source], fit=fit, strict=True)


@pytest.mark.parametrize("system", [None, "Be brief."])
def test_a_conversation_that_the_assistant_begins_is_no_dialogue_whatever_the_template(
    chat: Chat, source: Source, system: str | None
) -> None:
    loaded = load_demonstrations([source], fit=partial(require_dialogue, chat, system=system))
    [problem] = loaded.malformed
    assert f"{source.path}:4: the conversation begins with the assistant" in problem


def test_offline_pairs_leave_them_out(
    strict: Chat, source: Source, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = Prompts(sources=(source,), system="Be brief.")
    config = SelfTrainingConfig(model=tmp_path, prompts=prompts, max_tokens=100)
    assert given_pairs(config, strict, tmp_path / "run", begun=False).prompts == 3
    assert "3 pairs from 6 rows, 3 of them malformed" in capsys.readouterr().out


def test_prompts_of_self_training_leave_them_out(
    strict: Chat, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = gather_prompts(strict, Prompts(sources=(source,), system="Be brief."), longest=100)
    assert [prompt.asked[0]["content"] for prompt in prompts] == ["Be brief.\n\nSky?"] * 3
    assert "3 conversations from 6 rows, 3 of them malformed" in capsys.readouterr().out
