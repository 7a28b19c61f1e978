"""Examples in files: the same as in memory, whoever makes them, and made anew only where no run depends on them."""

from pathlib import Path

import pytest
from selfjudge_training.data.examples.jsft_set import each_example, units
from selfjudge_training.data.examples.shown import load_chat
from selfjudge_training.data.load import load_demonstrations, load_pairs
from selfjudge_training.data.source import DataError, Source
from selfjudge_training.jsft.examples import EXAMPLES, as_row, kept_examples, lengths
from selfjudge_training.jsft.jsft_config import Data, JsftConfig

from selfjudge import Chat, load_templates


@pytest.fixture(scope="module")
def chat() -> Chat:
    return load_chat("selfjudge/models/selfjudge-tiny")


def rows(data: Data, chat: Chat, folder: Path, *, begun: bool = False) -> list[dict[str, object]]:
    return list(kept_examples(data, chat, 0, folder, begun=begun))


def in_memory(data: Data, chat: Chat) -> list[dict[str, object]]:
    template = load_templates()[str(data.template)]
    shown, pairs = load_demonstrations(data.demonstrations).records, load_pairs(data.pairs, template).records
    return [dict(as_row(each)) for each in each_example(chat, [template], shown, pairs, max_tokens=512)]


def test_files_hold_what_would_be_in_memory(config: JsftConfig, chat: Chat, tmp_path: Path) -> None:
    expected = in_memory(config.data, chat)
    assert rows(config.data, chat, tmp_path) == expected
    kept = kept_examples(config.data, chat, 0, tmp_path, begun=True)
    assert lengths(kept) == [len(ids) for ids in kept["input_ids"]]
    assert len(kept.cache_files) == 2, "the rows are in memory, not in files"


def test_what_shares_a_step_is_a_dialogue_or_one_pair_in_both_orders(
    config: JsftConfig, chat: Chat, tmp_path: Path
) -> None:
    kept = kept_examples(config.data, chat, 0, tmp_path, begun=False)
    found = units(kept["form"][:])
    assert sorted(index for unit in found for index in unit) == list(range(len(kept)))
    template = load_templates()[str(config.data.template)]
    pairs = load_pairs(config.data.pairs, template).records
    shared = [[kept[index]["input_ids"] for index in unit] for unit in found if len(unit) == 2]
    for pair, orders in zip(pairs, shared, strict=True):
        alone = each_example(chat, [template], [], [pair], max_tokens=512)
        assert orders == [each.input_ids for each in alone]


def test_a_set_of_one_kind_is_a_set_too(config: JsftConfig, chat: Chat, tmp_path: Path) -> None:
    data = config.data.model_copy(update={"demonstrations": ()})
    assert rows(data, chat, tmp_path) == in_memory(data, chat)


def test_a_run_that_goes_on_keeps_its_examples_and_one_that_never_began_does_not(
    config: JsftConfig, chat: Chat, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"prompt": "1 + 1", "chosen": "2", "rejected": "3"}\n', encoding="utf-8")
    source = Source(format="preferences", path=file)
    data = config.data.model_copy(update={"demonstrations": (source,), "pairs": (source,)})
    first = rows(data, chat, tmp_path)
    assert capsys.readouterr().out.endswith(
        "3 examples, 0 of them cut to 512 tokens; 0 left out, as no target fits in\n"
    )
    file.write_text('{"prompt": "1 + 2", "chosen": "3", "rejected": "2"}\n', encoding="utf-8")
    assert rows(data, chat, tmp_path, begun=True) == first
    assert rows(data, chat, tmp_path) == in_memory(data, chat) != first


def test_half_written_files_are_never_read(config: JsftConfig, chat: Chat, tmp_path: Path) -> None:
    broken = config.data.model_copy(update={"template": "ultrafeedback-principle-rationale"})
    left = tmp_path / f"{EXAMPLES}.partial"
    left.mkdir()
    (left / "judgments-00007.arrow").write_bytes(b"half")
    with pytest.raises(DataError, match="needs pairs under principles"):
        rows(broken, chat, tmp_path)
    assert not (tmp_path / EXAMPLES).exists()
    assert rows(config.data, chat, tmp_path, begun=True) == in_memory(config.data, chat)
    assert not left.exists()
