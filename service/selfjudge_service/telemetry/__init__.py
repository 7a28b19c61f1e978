"""What an operator sees besides metrics: a line per request, in text or JSON, and traces of tournaments.

Metrics are in metrics.py and in the rooms that they are about. Nothing here decides anything: a server without this
room would give the same answers.
"""
