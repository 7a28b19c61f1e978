"""`python -m selfjudge_training.rollouts.benchmark`: what an on-policy step costs with each back end.

Leaves out a running server as the back end: over one network and the next, HTTP costs what it costs.
"""
