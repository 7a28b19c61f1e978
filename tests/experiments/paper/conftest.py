"""A tokenizer of the miniature, trained on fewer problems."""

from itertools import islice

import pytest
from transformers import PreTrainedTokenizerFast

from experiments.letters.tasks.split import Split, draw_problems
from experiments.paper.shared_tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(list(islice(draw_problems(Split.TRAIN, 0), 500)), 600, 0)
