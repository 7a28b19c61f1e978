"""The paper's comparisons in miniature: every variant trained on checkable instructions, and a report on its claims.

Chains the other rooms (`tiny` for base and JSFT, `data`, `self_training`, `arms`, `evaluation`) into stages, and has
no training loop of its own.
"""
