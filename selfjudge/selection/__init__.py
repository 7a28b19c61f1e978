"""Choosing among N candidates: the knockout tournament (section 3.3), the round robin, and selection by score."""
