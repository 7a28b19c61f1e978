"""What a tournament tells of its judge."""

import pytest
from selfjudge_service.best_of_n.judging.fitness import (
    WARNING_HEADER,
    header_of,
    match_fitness,
    match_warnings,
    score_warnings,
)
from selfjudge_service.best_of_n.judging.in_place import Scored
from selfjudge_service.best_of_n.judging.judge import Judged

from selfjudge import PrincipleVerdict, Reading, Verdict


def judged(consistent: int, inconsistent: int, logprob: float = -0.05) -> list[Judged]:
    """Comparisons whose letters have e^logprob and a little more."""
    at_a, at_b = Reading(logprob, -5.0), Reading(-5.0, logprob)
    kept, flipped = (Verdict.of([PrincipleVerdict(None, at_a, second)]) for second in (at_b, at_a))
    return [Judged(verdict, None, 1, 0) for verdict in [kept] * consistent + [flipped] * inconsistent]


def test_label_mass_and_position_consistency_are_means() -> None:
    told = match_fitness(judged(3, 1))
    assert (told["label_mass"], told["position_consistency"]) == (pytest.approx(0.958, abs=1e-3), 0.75)
    assert match_fitness([]) == {"label_mass": None, "position_consistency": None}
    assert match_warnings([], 0) == []


@pytest.mark.parametrize(
    ("consistent", "inconsistent", "warned"),
    [
        (0, 1, False),  # a fit judge has that once in five
        (0, 2, True),
        (0, 3, True),
        (1, 3, True),
        (2, 2, False),
        (3, 4, True),
        (4, 3, False),
        (8, 7, True),
        (9, 6, False),
        (38, 25, True),
        (39, 24, False),  # better than chance, by more than luck
        (63, 0, False),
    ],
)
def test_consistency_at_chance_is_warned_of_where_it_can_be_told(
    consistent: int, inconsistent: int, warned: bool
) -> None:
    told = match_warnings(judged(consistent, inconsistent), 0)
    assert ["position_consistency is at chance" in warning for warning in told] == [True] * warned


@pytest.mark.parametrize(("logprob", "warned"), [(-0.1, False), (-0.3, True), (-3.0, True)])
def test_a_low_label_mass_is_warned_of(logprob: float, warned: bool) -> None:
    told = match_warnings(judged(1, 0, logprob), 0)
    assert ["label_mass is 0." in warning for warning in told] == [True] * warned


def test_comparisons_without_verdict_are_warned_of() -> None:
    assert match_warnings(judged(6, 0), 2)[0].startswith("2 of 8 comparisons gave no verdict")


def test_a_judge_that_scores_is_warned_of_by_its_own_labels() -> None:
    surely, hardly = (Scored(Reading(logprob, -5.0), None, 9, 8) for logprob in (-0.05, -1.0))
    assert score_warnings([surely], 0, ("yes", "no")) == []
    unread, mass = score_warnings([surely, hardly], 1, ("yes", "no"))
    assert unread.startswith("1 of 3 scores were unreadable")
    assert "answers with neither yes nor no" in mass


def test_warnings_make_one_header_that_any_text_fits_into() -> None:
    assert header_of([]) == {}
    assert header_of(["one", "twö\n"]) == {WARNING_HEADER: "one; tw\\xf6\\n"}
