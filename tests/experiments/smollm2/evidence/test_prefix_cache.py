"""Tokens that an engine with a prefix cache computes."""

from experiments.smollm2.evidence.cells.prefix_cache import BLOCK, PrefixCache

SHARED = list(range(2 * BLOCK + 5))


def test_whole_blocks_are_not_computed_again() -> None:
    cache = PrefixCache()
    assert cache.computed([*SHARED, 1, 2]) == 2 * BLOCK + 7
    assert cache.computed([*SHARED, 8, 9, 10]) == 8


def test_the_last_token_is_always_computed() -> None:
    cache = PrefixCache()
    ids = list(range(2 * BLOCK))
    cache.computed(ids)
    assert cache.computed(ids) == BLOCK


def test_a_block_is_known_by_all_that_stands_before_it() -> None:
    cache = PrefixCache()
    cache.computed([*range(BLOCK), *range(BLOCK), 0])
    assert cache.computed([*range(1, BLOCK + 1), *range(BLOCK), 0]) == 2 * BLOCK + 1
