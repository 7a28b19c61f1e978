"""The whole command: stages in a working folder, then the report, anew from whatever they measured."""

from pathlib import Path

from selfjudge_training.paper.plan import PRELOAD, plan_stages
from selfjudge_training.paper.recipe import PaperRecipe
from selfjudge_training.paper.stages import run_stages
from selfjudge_training.run.folder import RunFolder


def run_paper(recipe: PaperRecipe, root: Path, output: Path, workers: int) -> list[Path]:
    """Run what is not done in ``root``, and write the report into ``output``; returns its files.

    Raises ConfigError where ``root`` holds a run of another recipe, StageError where a stage fails.
    """
    folder = RunFolder.open(root, recipe, seed=recipe.seed)
    run_stages(plan_stages(recipe, folder.path.resolve(), workers), folder.path.resolve(), workers, PRELOAD)
    # Matplotlib takes a while, and stages do without.
    from selfjudge_training.paper.report import write_report  # noqa: PLC0415
    from selfjudge_training.paper.results import compute  # noqa: PLC0415

    return write_report(recipe, compute(recipe, folder.path), output)
