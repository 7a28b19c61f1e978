"""Pools and pairs, attacks, and mining."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from selfjudge_training.data.load import load_demonstrations
from selfjudge_training.data.rows import write_lines
from selfjudge_training.data.source import Source
from selfjudge_training.rollouts.judge import Judge
from typing_extensions import override

from experiments.letters.build import POOLS as AS_JSON
from experiments.letters.letters_recipe import Finetuning
from experiments.letters.preferences.pairs import Pool, demonstration_rows, make_pool, preference_rows, weigh_up
from experiments.letters.preferences.wrong import ATTACKS, HELD_OUT, TRAINED, Attack, attack, edited
from experiments.letters.tasks import Problem
from selfjudge import Comparison, PrincipleVerdict, Reading, Verdict

SORT = Problem("sort", "DBCA", "Sort these letters: DBCA", "ABCD")
COUNT = Problem("count", "A in AB", "Count the letter A in AB", "1")
POOLS = [make_pool(SORT, ["ABDC", "DCBA", "ABDC", "ABCD", "BACD"], shown=2), make_pool(COUNT, ["1", "2", "0"], shown=2)]
ROUND = Finetuning(
    steps=20,
    pairs=5,
    dialogues=3,
    rate=1.0,
    schedule="cosine",
    graded_share=0.0,
    least_gap=0.2,
    attack_share=0.0,
    replay=0.0,
    emphasis=0.0,
    own_prompts=0,
    own_samples=2,
)


def test_a_pool_keeps_the_better_demonstration_and_each_wrong_answer_once() -> None:
    pool = POOLS[0]
    assert pool.demonstration == "ABDC"
    assert set(pool.wrong) == {"ABDC", "DCBA", "BACD"}
    assert pool.wrong["ABDC"] == pytest.approx(2**0.5 * pool.wrong["DCBA"])
    assert make_pool(SORT, ["ABCD"]) == (SORT, None, {})


def test_pools_survive_being_written() -> None:
    assert AS_JSON.validate_json(AS_JSON.dump_json(POOLS)) == POOLS


def pairs(plan: Finetuning = ROUND, pools: Sequence[Pool] = POOLS[:1], seed: int = 0) -> list[tuple[str, str]]:
    return [(row["chosen"], row["rejected"]) for row in preference_rows(pools, plan, seed)]


def test_pairs_set_the_right_answer_against_wrong_ones() -> None:
    assert set(pairs()) == {("ABCD", wrong) for wrong in ("ABDC", "DCBA", "BACD")}
    assert pairs() == pairs() != pairs(seed=1)


def test_graded_pairs_set_better_against_worse() -> None:
    graded = {pair for pair in pairs(ROUND.model_copy(update={"graded_share": 1.0})) if pair[0] != "ABCD"}
    assert graded == {("ABDC", "DCBA"), ("BACD", "DCBA")}


def test_heavier_wrong_answers_come_more_often() -> None:
    weighed = {text: 9.0 if text == "DCBA" else 0.5 for text in POOLS[0].wrong}
    drawn = [rejected for _, rejected in pairs(pools=[POOLS[0]._replace(wrong=weighed)])]
    assert drawn.count("DCBA") > 0.7 * len(drawn)


def test_demonstrations_are_read_with_and_without_a_system_message(tmp_path: Path) -> None:
    write_lines(demonstration_rows(POOLS, ROUND, 0), tmp_path / "rows.jsonl")
    shown = load_demonstrations([Source(format="preferences", path=tmp_path / "rows.jsonl")], strict=True).records
    assert {demonstration.response for demonstration in shown} == {"ABDC", "1"}
    assert {demonstration.conversation[0]["role"] for demonstration in shown} == {"system", "user"}


class Fooled(Judge):
    """A judge that takes one text for right."""

    def __init__(self) -> None:
        pass

    @override
    def verdicts(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        yes, no = Reading(-0.0, -50.0), Reading(-50.0, -0.0)
        return [
            Verdict.of([PrincipleVerdict(None, *([no, yes] if pair.second == "DCBA" else [yes, no]))])
            for pair in comparisons
        ]


def test_mining_weighs_up_what_fools_the_judge() -> None:
    weighed, accuracy = weigh_up(Fooled(), POOLS, emphasis=4.0)
    assert accuracy == pytest.approx(4 / 5)
    for before, after in zip(POOLS, weighed, strict=True):
        assert after.wrong == pytest.approx(
            {text: old * (5 if text == "DCBA" else 1) for text, old in before.wrong.items()}
        )


@pytest.mark.parametrize("kind", ATTACKS)
def test_no_attack_is_a_right_answer(kind: Attack) -> None:
    rng = random.Random(0)
    assert all(attack(kind, "DCBA", rng) != "ABCD" for _ in range(50))


def test_some_attacks_are_kept_for_the_evaluation() -> None:
    assert HELD_OUT
    assert {*HELD_OUT, *TRAINED} == set(ATTACKS)
    assert set(HELD_OUT).isdisjoint(TRAINED)


def test_edits_are_mostly_wrong_and_of_like_length() -> None:
    rng = random.Random(0)
    texts = [edited("ABCD", rng) for _ in range(200)]
    assert sum(text == "ABCD" for text in texts) < 30
    assert all(1 <= len(text) <= 7 for text in texts)
