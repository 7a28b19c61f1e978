"""The judge: compares responses with the served weights, for tournaments, /judge, /v1/rank and the gate of adapters.

judge.py        templates and principles: encodes a pair in both orders, under each principle
contexts.py     the conversation that is judged about, encoded once for a request
label_reads.py  reads P(A) and P(B) off the engine
fitness.py      whether the judge is fit to judge, as far as one tournament tells
"""
