"""Our routes: chat completions, judging, ranking, adapters, models, probes.

route.py    the class of routes: errors in the caller's words, each request counted once
entry.py    how a request enters: its weight is admitted
served.py   which weights it gets
"""
