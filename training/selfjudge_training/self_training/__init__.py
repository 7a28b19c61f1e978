"""On-policy self-training (section 3.2): the policy samples, the frozen reference judges, a preference loss learns."""
