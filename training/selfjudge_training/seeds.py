"""Seeds for what a run draws, each made of the run's seed and of what is drawn: none depends on what ran before."""

import random


def derived_seed(*parts: object) -> int:
    """A seed of 63 bits for everything that bears these names and numbers."""
    return random.Random(":".join(map(str, parts))).getrandbits(63)


def seed_of(seed: int, place: int) -> int:
    """The seed of 48 bits for the responses to the conversation at a place, of those sampled together.

    vLLM adds 0, 1, ... to it for the responses to one conversation, in the process and in a server alike.
    """
    return random.Random(f"{seed}:{place}").getrandbits(48)
