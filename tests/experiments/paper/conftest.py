"""A tokenizer of the miniature, trained on fewer problems."""

from itertools import islice

import pytest
from transformers import PreTrainedTokenizerFast

from experiments.letters.tasks import Split, draw_problems
from experiments.letters.tokenizer import train_tokenizer
from experiments.paper.base import tokenizer_texts
from experiments.paper.recipe import VARIANTS
from selfjudge import load_templates


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    texts = tokenizer_texts(islice(draw_problems(Split.TRAIN, 0), 500), 0)
    return train_tokenizer(texts, [load_templates()[name] for name in dict.fromkeys(VARIANTS.values())], 600)
