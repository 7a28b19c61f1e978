"""The paper's comparisons in miniature: every variant trained on instructions that a program can check, and a report.

Recipes over the library; it has no training loop of its own.
"""
