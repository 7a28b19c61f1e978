"""A tokenizer of the miniature, trained on fewer problems."""

from itertools import islice

import pytest
from transformers import PreTrainedTokenizerFast

from experiments.letters.tasks.split import Split, draw_problems
from experiments.letters.tokenizer import train_tokenizer
from experiments.paper.base import TEMPLATES, _texts
from selfjudge import load_templates


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    texts = _texts(list(islice(draw_problems(Split.TRAIN, 0), 500)), 0)
    return train_tokenizer(texts, [load_templates()[name] for name in TEMPLATES], 600)
