"""Choosing among N candidates by pairwise matches: the knockout tournament (section 3.3) and the round robin."""
