"""A tokenizer of the miniature, trained on fewer problems."""

from itertools import islice

import pytest
from selfjudge_training.tasks.split import Split, draw_problems
from transformers import PreTrainedTokenizerFast

from experiments.paper.tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(list(islice(draw_problems(Split.TRAIN, 0), 500)), 600, 0)
