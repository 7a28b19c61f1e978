"""A judgment from its template to the verdict: the prompt that a judge reads, examples for training, P(A) and P(B)."""
