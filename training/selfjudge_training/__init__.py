"""Makes the weights: data, JSFT, on-policy self-training and evaluation.

``selfjudge`` renders every prompt and reads every verdict; the service is not needed.
"""
