"""UltraFeedback: ranks, principle pairs, rationales, system messages (appendix A.1, table 8)."""

from collections import Counter

import pytest
from selfjudge_training.data.formats.ultrafeedback import UltraFeedbackRow, is_comparative
from selfjudge_training.data.source import MalformedRowError

from selfjudge import load_templates

TEMPLATES = load_templates()
OVERALL, JM_P = TEMPLATES["ultrafeedback"], TEMPLATES["ultrafeedback-principle"]
JM_PR = TEMPLATES["ultrafeedback-principle-rationale"]
KEYS = ("helpfulness", "honesty", "instruction_following", "truthfulness")


def completion(response: str, *ratings: object, system: str = "", why: str = "Because.") -> dict[str, object]:
    notes = {key: {"Rating": rating, "Rationale": f"{why} {key}"} for key, rating in zip(KEYS, ratings, strict=True)}
    return {"response": response, "custom_system_prompt": system, "annotations": notes, "model": "some"}


def row(*completions: dict[str, object]) -> UltraFeedbackRow:
    return UltraFeedbackRow.model_validate(
        {"instruction": "Do it.", "source": "flan", "completions": completions, "models": []}
    )


def test_the_best_mean_is_the_demonstration_under_its_own_system_message() -> None:
    asked = row(completion("low", "1", "1", "1", "1"), completion("high", "5", "4", "5", "N/A", system="Be good."))
    assert asked.demonstration() == (
        [{"role": "system", "content": "Be good."}, {"role": "user", "content": "Do it."}],
        "high",
    )


def test_ties_go_to_the_longer_response_and_unrated_principles_do_not_count() -> None:
    asked = row(completion("short", 4, 4, 4, 4), completion("longer one", 4, 4, "N/A", "N/A"))
    found = asked.pairs(OVERALL, 0, Counter())
    assert [(pair.chosen, pair.rejected, pair.category) for pair in found] == [("longer one", "short", "flan")]
    assert found[0].conversation == [{"role": "user", "content": "Do it."}]


def test_the_rejected_response_is_drawn_among_all_inferior_ones() -> None:
    asked = row(*(completion(name, rating, rating, rating, rating) for name, rating in (("a", 1), ("b", 5), ("c", 3))))
    drawn = {asked.pairs(OVERALL, seed, Counter())[0].rejected for seed in range(30)}
    assert drawn == {"a", "c"}
    assert asked.pairs(OVERALL, 0, Counter()) == asked.pairs(OVERALL, 0, Counter())


def test_each_principle_has_a_pair_of_its_own_where_it_tells_responses_apart() -> None:
    asked = row(completion("kind", 5, 2, 3, "N/A"), completion("honest", 2, 5, 3, 4), completion("both", 3, 3, 3, 4))
    left_out: Counter[str] = Counter()
    found = {pair.principle: pair for pair in asked.pairs(JM_P, 0, left_out)}
    assert set(found) == {"helpfulness", "honesty"}
    assert found["helpfulness"].chosen == "kind"
    assert found["honesty"].chosen == "honest"
    assert found["honesty"].rationale is None
    assert left_out == {
        "no response is inferior under 'instruction following'": 1,
        "no response is inferior under 'truthfulness'": 1,
    }


def test_rationales_follow_their_responses_and_comparisons_are_out() -> None:
    asked = row(
        completion("best", 5, 5, 5, 5, why="Better than Text 2."),
        completion("good", 4, 4, 4, 4, why="Good."),
        completion("bad", 1, 1, 1, 1, why="Bad."),
    )
    left_out: Counter[str] = Counter()
    found = asked.pairs(JM_PR, 0, left_out)
    assert [pair.principle for pair in found] == list(JM_P.principles or ())
    assert {(pair.chosen, pair.rejected) for pair in found} == {("good", "bad")}
    assert found[2].rationale == ("Good. instruction_following", "Bad. instruction_following")
    assert left_out["rationale is missing or compares responses"] == 4


@pytest.mark.parametrize("nothing", ["N/A", "None", "", None])
def test_a_rationale_that_says_nothing_is_none(nothing: str | None) -> None:
    empty = {"honesty": {"Rating": "5", "Rationale": nothing}}
    asked = row({"response": "a", "annotations": empty}, completion("b", 1, 1, 1, 1))
    left_out: Counter[str] = Counter()
    assert asked.pairs(JM_PR, 0, left_out) == []
    assert left_out["rationale is missing or compares responses"] == 1


def test_the_rationale_for_the_rating_comes_before_that_for_the_type() -> None:
    note = {"Rating": "3", "Rationale": "None", "Type": ["1"], "Rationale For Rating": "Partly right."}
    other = {"Rating": "5", "Rationale": "None", "Type": ["1"], "Rationale For Rating": "Right."}
    asked = row(
        {"response": "a", "annotations": {"truthfulness": note, "honesty": None}},
        {"response": "b", "annotations": {"truthfulness": other}},
    )
    assert [pair.rationale for pair in asked.pairs(JM_PR, 0, Counter())] == [("Right.", "Partly right.")]


def test_equal_responses_and_lone_ones_give_no_pair_but_are_counted() -> None:
    left_out: Counter[str] = Counter()
    assert row(completion("a", 1, 1, 1, 1)).pairs(OVERALL, 0, left_out) == []
    assert row(completion("a", 1, 1, 1, 1), completion("b", 1, 1, 1, 1)).pairs(OVERALL, 0, left_out) == []
    assert row(completion("a", 1, 1, 1, 1), completion("a", 2, 1, 1, 1)).pairs(OVERALL, 0, left_out) == []
    assert left_out == {"no response is inferior overall": 3}


def test_without_ratings_there_is_nothing_to_learn() -> None:
    with pytest.raises(MalformedRowError, match="no completion has a rating"):
        row(completion("a", "N/A", "N/A", "N/A", "N/A")).demonstration()


@pytest.mark.parametrize(
    "rationale",
    [
        "Similar to Text 1, but more detailed.",
        "The other responses are shorter.",
        "It is more accurate than the others.",
        "Compared to the previous answer it is vague.",
        "The most helpful of the four.",
        "Among the texts, this one is best.",
        "All the texts miss the point.",
    ],
)
def test_comparisons_are_told(rationale: str) -> None:
    assert is_comparative(rationale)


@pytest.mark.parametrize(
    "rationale",
    [
        "The text only partially addresses the task goal by giving a list of 4 activities.",
        "The response is correct and confident, with no more than two small errors.",
        "It answers the question, but 13 is not the sum.",
        "The text provides some truthful information, but misunderstands the instruction.",
    ],
)
def test_other_rationales_are_no_comparisons(rationale: str) -> None:
    assert not is_comparative(rationale)
