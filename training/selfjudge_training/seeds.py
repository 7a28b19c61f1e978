"""Seeds for what a run draws, each made of the run's seed and of what is drawn: none depends on what ran before."""

import random


def derived_seed(*parts: object) -> int:
    """A seed of 63 bits for everything that bears these names and numbers."""
    return random.Random(":".join(map(str, parts))).getrandbits(63)
