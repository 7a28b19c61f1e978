"""The paper's comparisons in miniature: every variant trained on instructions that a program can check; a report."""
