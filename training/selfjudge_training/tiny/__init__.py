"""Makes the model that ships, from nothing: tokenizer, pre-training, JSFT with mining of hard pairs, evaluation.

Special to a model of a few MB that answers checkable instructions; training of models that exist already is beside it.
"""
