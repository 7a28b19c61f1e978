"""A policy's adapter is what it samples with, and what its own judge has not."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from selfjudge_training.evaluation.evaluation_config import PolicySource
from selfjudge_training.evaluation.sources import open_sources
from selfjudge_training.rollouts.base import Sampling
from transformers import AutoModelForCausalLM

from selfjudge import AdapterError, Comparison
from selfjudge.shipped import TINY_MODEL

CONVERSATIONS = [[{"role": "user", "content": f"Sort these letters: {letters}"}] for letters in ("QDBA", "ZK", "HGE")]
GREEDY = Sampling(temperature=0, max_new_tokens=12)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """One that changes what the model says."""
    torch.manual_seed(1)
    policy = get_peft_model(
        AutoModelForCausalLM.from_pretrained(TINY_MODEL), LoraConfig(r=8, target_modules="all-linear")
    )
    for name, parameter in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    policy.save_pretrained(str(tmp_path / "adapter"))
    return tmp_path / "adapter"


def test_a_policy_samples_with_its_adapter_and_judges_without(adapter: Path, tmp_path: Path) -> None:
    bare, adapted = (PolicySource(kind="folder", at=str(TINY_MODEL), adapter=at) for at in (None, adapter))
    comparison = Comparison("Sort these letters: QDBA", "ABDQ", "QDBA")
    with open_sources(tmp_path) as sources:
        said = [sources.policy(one)(CONVERSATIONS, 1, GREEDY, 0) for one in (bare, adapted)]
        judged = [sources.own_judge(one, "ultrafeedback")([comparison])[0] for one in (bare, adapted)]
    assert said[0] != said[1]
    assert judged[0].probability_a == pytest.approx(judged[1].probability_a, abs=1e-6)


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    policy = PolicySource(kind="folder", at=str(TINY_MODEL), adapter=tmp_path)
    with pytest.raises(AdapterError, match=r"no adapter_config\.json"), open_sources(tmp_path) as sources:
        sources.policy(policy)
