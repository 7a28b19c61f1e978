"""The stages: in which order they depend on each other, and whose tasks are whose."""

from itertools import combinations
from pathlib import Path

from selfjudge_training.run.config import load_config, recipe_path
from selfjudge_training.self_training.self_training_config import SelfTrainingConfig

from experiments.smollm2.__main__ import WORK
from experiments.smollm2.smollm2_plan import JUDGE, PROMPTS, plan_stages, tasks_of
from experiments.smollm2.smollm2_recipe import Smollm2Recipe
from experiments.smollm2.tasks import tasks
from selfjudge.shipped import BASE, find_shipped

RECIPE = load_config(Smollm2Recipe, Path("experiments/smollm2/recipe.yaml"))


def test_every_stage_needs_only_what_comes_before_it(tmp_path: Path) -> None:
    stages = plan_stages(RECIPE, tmp_path)
    names = [stage.name for stage in stages]
    assert len(set(names)) == len(names)
    for place, stage in enumerate(stages):
        assert set(stage.needs) <= set(names[:place])


def test_no_two_rounds_share_a_task_and_none_is_held_out() -> None:
    prompts = [{task.prompt for task in tasks_of(RECIPE, number)} for number in range(1, len(RECIPE.rounds) + 2)]
    assert not any(one & other for one, other in combinations(prompts, 2))
    held_out = {task.subject for task in tasks("held-out", 300, RECIPE.seed)}
    assert not held_out & {task.subject for number in (1, 2) for task in tasks_of(RECIPE, number)}


def test_it_begins_with_what_anybody_can_have_and_self_training_with_the_judge(tmp_path: Path) -> None:
    assert RECIPE.base == find_shipped(BASE)
    config = load_config(SelfTrainingConfig, recipe_path("self-train-smollm2"))
    assert JUDGE in {stage.name for stage in plan_stages(RECIPE, tmp_path)}
    assert config.model == WORK / JUDGE / "model"
    assert [source.path for source in config.prompts.sources] == [WORK / "prompts" / PROMPTS]
