"""How much a response repeats itself: the share of its 4-grams that it has said before (figure 4).

The paper does not define its measure; this is the usual one, 1 - (different 4-grams / 4-grams), over words that white
space parts. A response of fewer than four words can't repeat one.
"""

NGRAM = 4


def repetition(text: str) -> float:
    """In [0, 1]: 0 where no 4-gram of words comes twice."""
    words = text.split()
    grams = [tuple(words[start : start + NGRAM]) for start in range(len(words) - NGRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
