"""Wrong answers made from right ones by small edits, for pre-training, before there is any checkpoint to sample from.

Not for JSFT: a judge trained on edits alone knows edits, not the mistakes of the policy it is to judge.
"""

import random
from string import ascii_uppercase, digits


def edited(answer: str, rng: random.Random) -> str:
    """The answer after one to three random edits; it may by chance be right again."""
    items = list(answer)
    alphabet = digits if answer[:1].isdigit() else ascii_uppercase
    for _ in range(rng.choice((1, 1, 2, 3))):
        kind = rng.choice(("swap", "replace", "replace", "drop", "insert"))
        if kind == "insert" or len(items) < 2:
            items.insert(rng.randint(0, len(items)), rng.choice(alphabet))
        elif kind == "drop":
            del items[rng.randrange(len(items))]
        elif kind == "replace":
            items[rng.randrange(len(items))] = rng.choice(alphabet)
        else:
            left, right = rng.sample(range(len(items)), 2)
            items[left], items[right] = items[right], items[left]
    return "".join(items)
