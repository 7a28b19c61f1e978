"""A tokenizer of the real kind and an untrained model of a toy size, shared by the tests of training."""

from itertools import islice

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from experiments.letters.letters_recipe import Shape
from experiments.letters.model import TEMPLATE, new_model
from experiments.letters.tasks import Split, draw_problems
from experiments.letters.tokenizer import train_tokenizer

# Toy models are so small that a second thread only waits for the first.
torch.set_num_threads(1)

TOY = Shape(width=32, layers=3, heads=2, inner_width=64, context=256)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerBase:
    prompts = (f"\n{problem.prompt}\n" for problem in islice(draw_problems(Split.TRAIN, 0), 1000))
    return train_tokenizer(prompts, [TEMPLATE], 1024)


@pytest.fixture
def toy_model(tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return new_model(TOY, tokenizer)
