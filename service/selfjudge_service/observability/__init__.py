"""What an operator sees: metrics, a line per request in text or JSON, traces, and tournaments logged for training.

A server without this room would give the same answers. `selfjudge-train data from-brackets` reads the log of
tournaments, from the files alone.
"""
