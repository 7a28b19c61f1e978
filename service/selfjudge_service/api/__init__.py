"""Our routes: chat completions, judging, ranking, adapters, models, probes; route.py is what they have in common."""
