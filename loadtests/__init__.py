"""The benchmark: this server against the bare engine and against a client that holds the tournament itself.

Four contenders hold the same tournaments in turn, in one run: `bound` (the engine, given its prompts in ideal batches),
`server` (one HTTP request with `best_of_n`), `client` (one request for the samples, then one for each match) and
`thrifty client` (the same without the judgments that the server leaves out).
Load that tries to break the server is not here.
"""
