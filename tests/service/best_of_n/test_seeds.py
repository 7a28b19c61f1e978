"""Seeds of candidates and brackets."""

import pytest
from selfjudge_service.best_of_n.seeds import bracket_seed, candidate_seed

SEEDS = [0, 1, 2, -2, 7, 8, 2**63 - 1, -(2**63)]


def test_candidates_of_neighbouring_seeds_share_none() -> None:
    seeds = [candidate_seed(seed, candidate) for seed in SEEDS for candidate in range(256)]
    assert len(set(seeds)) == len(seeds)


def test_vllm_takes_every_candidates_seed_for_one() -> None:
    assert all(0 <= (candidate_seed(seed, 3) or -1) < 2**63 for seed in SEEDS)


def test_seeds_are_the_same_in_every_process_and_version() -> None:
    """Otherwise answers that were reported could not be had again."""
    assert (candidate_seed(7, 0), bracket_seed(None, 7)) == (2771917059731550861, 3776854686)


def test_a_bracket_has_its_own_seed_or_one_of_the_requests() -> None:
    assert bracket_seed(5, 7) == 5
    assert bracket_seed(0, 7) == 0
    assert len({bracket_seed(None, seed) for seed in SEEDS}) == len(SEEDS)
    assert all(0 <= bracket_seed(None, seed) < 2**32 for seed in SEEDS)


@pytest.mark.parametrize("none", [None, -1])
def test_without_a_seed_a_bracket_is_drawn(none: int | None) -> None:
    assert bracket_seed(None, none) != bracket_seed(None, none)
    assert candidate_seed(none, 0) is None
