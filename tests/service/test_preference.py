"""What a model's configuration says of how the best of N is to be found."""

from pathlib import Path

import pytest
from selfjudge_service.preference import preferred_method
from transformers import AutoConfig, LlamaConfig

from selfjudge import SelfJudgeError


@pytest.mark.parametrize("told", [None, {"method": "score"}, {"method": "tournament"}])
def test_a_models_folder_names_its_method(tmp_path: Path, told: dict[str, str] | None) -> None:
    config = LlamaConfig()
    if told:
        config.selfjudge = told
    config.save_pretrained(tmp_path)
    assert preferred_method(AutoConfig.from_pretrained(tmp_path)) == (told and told["method"])


@pytest.mark.parametrize(
    ("told", "where"),
    [({"method": "dice"}, "selfjudge.method"), ({"way": "score"}, "selfjudge."), ("score", "selfjudge:")],
)
def test_what_it_cannot_mean_is_told(told: object, where: str) -> None:
    config = LlamaConfig()
    config.selfjudge = told
    with pytest.raises(SelfJudgeError, match=f"config.json: {where}"):
        preferred_method(config)
