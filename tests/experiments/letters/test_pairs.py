"""Pools and pairs, attacks, batches of JSFT, and mining."""

import random
from collections import Counter
from pathlib import Path

import pytest
from selfjudge_training.rollouts.hugging_face import HuggingFaceRollOuts
from transformers import LlamaForCausalLM

from experiments.letters.letters_recipe import Finetuning
from experiments.letters.model.documents import Renderer
from experiments.letters.model.pool import RememberingJudge
from experiments.letters.preferences.attacks import HELD_OUT, Attack, attack
from experiments.letters.preferences.edits import edited
from experiments.letters.preferences.pairs import Pair, draw_pair, make_pool, read_pools, write_pools
from experiments.letters.tasks import Problem
from experiments.letters.training.judging import TRAINED_ATTACKS, jsft_batches, judgments
from experiments.letters.training.mine import weigh_up

SORT = Problem("sort", "DBCA", "Sort these letters: DBCA", "ABCD")
COUNT = Problem("count", "A in AB", "Count the letter A in AB", "1")
POOLS = [make_pool(SORT, ["ABDC", "DCBA"], ["ABDC", "ABCD", "BACD"]), make_pool(COUNT, ["1", "2"], ["0"])]
ROUND = Finetuning(
    steps=1,
    pairs=5,
    dialogues=3,
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
    assert {rejected.text for rejected in pool.rejected} == {"ABDC", "DCBA", "BACD"}
    weights = {rejected.text: rejected.weight for rejected in pool.rejected}
    assert weights["ABDC"] == pytest.approx(2**0.5 * weights["DCBA"])
    assert make_pool(SORT, [], ["ABCD"]) == (SORT, None, ())


def test_pools_survive_being_written(tmp_path: Path) -> None:
    write_pools(POOLS, tmp_path / "pools.jsonl")
    assert read_pools(tmp_path / "pools.jsonl") == POOLS


def test_pairs_set_the_right_answer_against_wrong_ones() -> None:
    rng = random.Random(0)
    pairs = {draw_pair(POOLS[0], rng, 0.0, 0.2) for _ in range(100)}
    assert {pair.rejected for pair in pairs} == {"ABDC", "DCBA", "BACD"}
    assert {(pair.chosen, pair.chosen_is_right) for pair in pairs} == {("ABCD", True)}


def test_graded_pairs_set_better_against_worse() -> None:
    rng = random.Random(0)
    pairs = {draw_pair(POOLS[0], rng, 1.0, 0.2) for _ in range(100)}
    graded = {(pair.chosen, pair.rejected) for pair in pairs if not pair.chosen_is_right}
    assert graded == {("ABDC", "DCBA"), ("BACD", "DCBA")}


def test_heavier_wrong_answers_come_more_often() -> None:
    pool = POOLS[0]._replace(
        rejected=tuple(r._replace(weight=9.0 if r.text == "DCBA" else 0.5) for r in POOLS[0].rejected)
    )
    rng = random.Random(0)
    drawn = Counter(draw_pair(pool, rng, 0.0, 0.2).rejected for _ in range(300))
    assert drawn["DCBA"] > 240


def test_a_batch_holds_both_orders_and_the_demonstrations(renderer: Renderer) -> None:
    batch = next(jsft_batches(renderer, POOLS, ROUND, seed=0))
    decode = renderer.chat.tokens.source.decode
    choices = [decode(document.ids[-2:-1]) for document in batch[:10]]
    assert choices == ["A", "B"] * 5
    assert len(batch) == 2 * 5 + 3
    assert all(str(decode(document.ids)).endswith(("ABDC<|eos|>", "1<|eos|>")) for document in batch[10:])


def test_equal_seeds_give_equal_batches(renderer: Renderer) -> None:
    one, two, other = (next(jsft_batches(renderer, POOLS, ROUND, seed)) for seed in (1, 1, 2))
    assert one == two != other


def test_replay_keeps_the_right_answer_a_target_in_both_orders(renderer: Renderer) -> None:
    pair = Pair(SORT.prompt, "ABCD", "DCBA", chosen_is_right=True)
    assert [sum(document.weights) for document in judgments(renderer, pair, 0.5)] == pytest.approx([2.5, 2.5])
    wrong_pair = pair._replace(chosen="ABDC", chosen_is_right=False)
    assert [sum(document.weights) for document in judgments(renderer, wrong_pair, 0.5)] == pytest.approx([2.0, 2.0])


def test_mining_weighs_up_what_fools_the_judge(toy_model: LlamaForCausalLM, renderer: Renderer) -> None:
    judge = RememberingJudge(HuggingFaceRollOuts(toy_model, renderer.chat.tokens.source))
    weighed, accuracy = weigh_up(judge, POOLS, emphasis=4.0)
    assert 0 <= accuracy <= 1
    for before, after in zip(POOLS, weighed, strict=True):
        for old, new in zip(before.rejected, after.rejected, strict=True):
            assert new[:2] == old[:2]
            assert old.weight <= new.weight <= 5 * old.weight


@pytest.mark.parametrize("kind", Attack)
def test_no_attack_is_a_right_answer(kind: Attack) -> None:
    rng = random.Random(0)
    assert all(attack(kind, "DCBA", rng) != "ABCD" for _ in range(50))


def test_some_attacks_are_kept_for_the_evaluation() -> None:
    assert HELD_OUT
    assert HELD_OUT.isdisjoint(TRAINED_ATTACKS)


def test_edits_are_mostly_wrong_and_of_like_length() -> None:
    rng = random.Random(0)
    texts = [edited("ABCD", rng) for _ in range(200)]
    assert sum(text == "ABCD" for text in texts) < 30
    assert all(1 <= len(text) <= 7 for text in texts)
