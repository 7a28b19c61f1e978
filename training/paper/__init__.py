"""The paper's comparisons in miniature: every variant trained on checkable instructions, and a report on its claims.

Chains the other rooms (`tiny` for the base, `data`, `jsft`, `self_training`, `arms`, `evaluation`) into stages, and
trains nothing of its own.
"""
