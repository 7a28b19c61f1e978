"""What an operator sees: metrics, a line per request in text or JSON, traces, and tournaments logged for training.

Nothing here decides anything: a server without this room would give the same answers. Reading the log of tournaments is
not here: `selfjudge-train data from-brackets` does, from the files alone.
"""
