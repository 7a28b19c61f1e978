"""Rows of verified answers: what they say is true, and they show what fools the judge."""

from pathlib import Path

from pydantic import TypeAdapter
from selfjudge_training.data.rows import write_lines
from selfjudge_training.run.config import load_config

from experiments.smollm2.learned_rows import GARBLED, OFF_TOPIC, Learned, make_rows
from experiments.smollm2.sampling import Answer, read_answers
from experiments.smollm2.smollm2_recipe import Round, Rows, Sampling, Smollm2Recipe, Training
from experiments.smollm2.tasks import Task, tasks

TEXT = "Bread is warm, soft and good. We bake it each morning at home. Try some, my dear friend! You will love it."


def plan(*, off_topic: float = 0.0, pairs: float = 1.0, fooled: int = 1, most: int = 4) -> Round:
    return Round(
        sampling=Sampling(tasks=1, samples=1),
        rows=Rows(right=most, wrong=most, broken=0.5, off_topic=off_topic, pairs=pairs),
        training=Training(learning_rate=1e-3),
        fooled=fooled,
    )


def learn(plan: Round, *given: Answer) -> tuple[list[Task], Learned]:
    drawn = tasks("train", 60, 3)
    return drawn, make_rows(drawn, [list(given)] * len(drawn), plan, 5)


def test_rows_say_the_truth() -> None:
    drawn, learned = learn(plan(), Answer("task", TEXT), Answer("bare", TEXT.lower()))
    by_prompt = {task.prompt: task for task in drawn}
    for row in learned.scores:
        assert by_prompt[str(row["prompt"])].keeps(str(row["response"])) == row["right"]
    assert {row["right"] for row in learned.scores} == {True, False}
    for pair in learned.pairs:
        task = by_prompt[str(pair["prompt"])]
        assert task.keeps(str(pair["chosen"]))
        assert not task.keeps(str(pair["rejected"]))
    assert len(learned.pairs) > len(drawn) / 2


def test_a_wrong_answer_has_the_constraint_that_it_breaks_behind_its_label() -> None:
    drawn, learned = learn(plan(), Answer("task", TEXT))
    by_prompt = {task.prompt: task for task in drawn}
    for row in learned.scores:
        words = {f": {each.words}" for each in by_prompt[str(row["prompt"])].constraints}
        assert ("rationale" in row) == (not row["right"])
        assert row["right"] or row["rationale"] in words


def test_an_answer_that_fools_the_judge_comes_first_and_more_often() -> None:
    trusted, fooling = Answer("task", TEXT, 0.9), Answer("task", TEXT + " Again, bread!", 0.1)
    drawn, learned = learn(plan(fooled=3, most=1), trusted, fooling)
    both = [task for task in drawn if task.keeps(trusted.text) and task.keeps(fooling.text)]
    assert both
    for task in both:
        right = [row["response"] for row in learned.scores if row["prompt"] == task.prompt and row["right"]]
        assert right == [fooling.text] * 3


def test_garbled_and_off_topic_answers_are_wrong_whatever_they_keep() -> None:
    _, learned = learn(plan(off_topic=1.0), Answer("garbled", "zx, q!"), Answer("bare", TEXT))
    reasons = [row.get("rationale") for row in learned.scores]
    assert reasons.count(f": {GARBLED}") == 60
    assert f": {OFF_TOPIC}" in reasons


def test_equal_seeds_give_equal_rows() -> None:
    given = (Answer("task", TEXT), Answer("bare", TEXT.lower()))
    assert learn(plan(off_topic=0.5), *given) == learn(plan(off_topic=0.5), *given)


def test_answers_come_back_in_the_order_of_the_tasks(tmp_path: Path) -> None:
    for share, part in ((0, 0), (1, 64), (0, 128)):
        answer = Answer("task", f"of part {part}", 0.25)
        write_lines([{"answers": [answer._asdict()]}], tmp_path / str(share) / f"part-{part:06d}.jsonl")
    found = read_answers([tmp_path / "0", tmp_path / "1"])
    assert [answers[0].text for answers in found] == ["of part 0", "of part 64", "of part 128"]
    assert TypeAdapter(Answer).validate_python(found[0][0]).score == 0.25


def test_the_recipe_is_whole() -> None:
    recipe = load_config(Smollm2Recipe, Path("experiments/smollm2/recipe.yaml"))
    assert len(recipe.rounds) == 2
