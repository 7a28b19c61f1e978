"""A tokenizer of the miniature, trained on fewer problems."""

from itertools import islice

import pytest
from transformers import PreTrainedTokenizerFast

from training.paper.tokenizer import train_tokenizer
from training.tasks.split import Split, draw_problems


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(list(islice(draw_problems(Split.TRAIN, 0), 500)), 600, 0)
