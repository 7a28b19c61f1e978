"""The benchmark: this server against the bare engine and against a client that holds the tournament itself.

Three contenders do the same work in turn, in one run: `bound` (the engine, given its prompts in ideal batches),
`server` (one HTTP request with `best_of_n`) and `client` (one request for the samples, then one for each judgment).
Load that tries to break the server is not here.
"""
