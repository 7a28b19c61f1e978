"""Makes the weights: tasks, tokenizer, pre-training, JSFT, mining of hard pairs, and evaluation against truth.

Builds on ``selfjudge`` for every prompt it renders and every verdict it reads; knows nothing of the service.
"""
