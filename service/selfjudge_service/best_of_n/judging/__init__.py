"""The judge: compares and scores responses with the served weights.

Tournaments, /judge, /v1/rank and the gate of adapters compare; the method `score` scores.

judge.py        templates and principles: encodes a pair in both orders, under each principle
in_place.py     scores an answer behind its sampled tokens
contexts.py     the conversation that is judged about, encoded once for a request
label_reads.py  reads the probabilities of two labels off the engine
fitness.py      whether the judge is fit to judge, as far as one selection tells
"""
