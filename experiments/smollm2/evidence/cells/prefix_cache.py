"""How many tokens an engine with a prefix cache computes for a prompt: those behind the blocks that it has seen before.

As vLLM's: whole blocks only, each known by all tokens up to its end, and the last token of a prompt is always computed.
Nothing is ever dropped, as in a cache that has room for one request's work.
"""

from collections.abc import Sequence

BLOCK = 32
"""Tokens of a block, as engines have them on CPUs here."""


class PrefixCache:
    """What has been computed so far."""

    def __init__(self) -> None:
        self._blocks: set[int] = set()
        """Hashes of all tokens up to the end of each block."""

    def computed(self, ids: Sequence[int]) -> int:
        """The tokens that have to be computed for a prompt, which is known afterwards."""
        known, before, seen = 0, 0, True
        for start in range(0, len(ids) - BLOCK + 1, BLOCK):
            before = hash((before, *ids[start : start + BLOCK]))
            seen = seen and before in self._blocks
            known += BLOCK * (seen and start + BLOCK < len(ids))
            self._blocks.add(before)
        return len(ids) - known
