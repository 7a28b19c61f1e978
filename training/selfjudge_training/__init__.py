"""Makes the weights: data, JSFT, on-policy self-training, evaluation, and (in ``tiny``) the whole model that ships.

Builds on ``selfjudge`` for every prompt it renders and every verdict it reads; knows nothing of the service.
"""
