"""Faults of vLLM, mended in its own classes until vLLM has mended them."""
