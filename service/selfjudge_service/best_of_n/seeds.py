"""The seeds of one tournament, all made from the seed that its request bears.

They are hashes, so that tournaments of two seeds, however near, share neither candidates nor bracket. vLLM takes -1 for
no seed, and so do we.
"""

import hashlib
import secrets
from typing import Final

_NONE: Final = -1
# vLLM's seeds are signed and of 64 bits: candidates get those from 0 up.
_CANDIDATE_BITS: Final = 63
# Reported, and to be sent again by clients whose numbers are floats.
_BRACKET_BITS: Final = 32


def candidate_seed(seed: int | None, candidate: int) -> int | None:
    """The seed that a candidate is sampled with; None where the request has none."""
    return None if seed in (None, _NONE) else _hash(f"{seed} candidate {candidate}", _CANDIDATE_BITS)


def bracket_seed(own: int | None, seed: int | None = None) -> int:
    """The seed of a bracket: its own, else one made from the request's, else one drawn at random; to be reported."""
    if own is not None:
        return own
    return secrets.randbits(_BRACKET_BITS) if seed in (None, _NONE) else _hash(f"{seed} bracket", _BRACKET_BITS)


def _hash(text: str, bits: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()) >> (256 - bits)
