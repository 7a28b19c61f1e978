"""The bracket log: tournaments written down for training, where the operator wants that.

What a line says is in `entry`, how lines reach the disk without holding up a request in `log`, and how much of the disk
they may take in `parts`. Reading them is not here: `selfjudge-train data from-brackets` does, from the files alone.
"""
