"""What is asked of the contenders."""

from itertools import pairwise

from loadtests.workload import draw_jobs, make_cells


def test_jobs_are_always_the_same_and_longer_lists_begin_with_the_shorter() -> None:
    assert draw_jobs(40)[:10] == draw_jobs(10)


def test_no_candidate_of_one_job_shares_its_seed_with_one_of_another() -> None:
    assert all(later.seed - earlier.seed >= 256 for earlier, later in pairwise(draw_jobs(50)))


def test_every_client_of_a_cell_has_several_tournaments_and_one_in_a_quick_run() -> None:
    assert all(cell.tournaments >= 3 * cell.clients for cell in make_cells([1, 16], [1, 8, 32], quick=False))
    assert [cell.tournaments for cell in make_cells([1, 16], [1, 32], quick=True)] == [1, 32, 1, 32]
