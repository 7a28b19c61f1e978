"""The model: its tokenizer, its documents, samples of it and judgments by it."""
