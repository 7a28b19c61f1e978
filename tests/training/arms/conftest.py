"""The toy model of self-training serves the arms too."""

from tests.training.self_training.conftest import tokenizer, toy_folder

__all__ = ["tokenizer", "toy_folder"]
