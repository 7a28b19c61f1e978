"""What an operator sees: metrics, a line per request in text or JSON, traces, and tournaments logged for training.

Nothing here changes an answer. `selfjudge-train data from-brackets` reads the log of tournaments.
"""
