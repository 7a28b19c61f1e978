"""Models that take no adapters are found before an engine is started."""

from argparse import Namespace
from pathlib import Path

import pytest
from selfjudge_service.engine.replaceable_engine import _require_lora, start_engine
from transformers import AutoConfig
from vllm.config import ModelConfig

from selfjudge.errors import AdapterError
from selfjudge.shipped import TINY_MODEL


async def test_a_model_that_takes_no_adapters_is_named_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AutoConfig.for_model("gpt2", architectures=["GPT2LMHeadModel"], n_layer=1).save_pretrained(tmp_path)
    monkeypatch.setattr(
        "selfjudge_service.engine.replaceable_engine.start_standby", lambda: pytest.fail("an engine is started")
    )
    args = Namespace(model=str(tmp_path), tokenizer=str(TINY_MODEL), dtype="float32", enable_lora=True)
    with pytest.raises(AdapterError, match=r"GPT2LMHeadModel takes no LoRA adapters: leave --adapters-dir and"):
        await start_engine(args)


def test_one_that_takes_them_passes() -> None:
    _require_lora(ModelConfig(model=str(TINY_MODEL), dtype="float32"))
