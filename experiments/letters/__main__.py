"""The command line: `python -m experiments.letters build|evaluate|preferences|questions`."""

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from selfjudge_training.data.rows import write_lines
from selfjudge_training.run.config import load_config
from tqdm import tqdm

from experiments.letters.build import Build
from experiments.letters.evaluation import evaluate, write_results
from experiments.letters.letters_recipe import Recipe
from experiments.letters.preferences.rows import checkable_rows, edited_responses, sampled_responses
from experiments.letters.tasks import Split, held_out_problems
from selfjudge.shipped import TINY_MODEL

RECIPE = Path(__file__).with_name("recipe.yaml")
RESULTS = Path("docs", "results")
MADE = Path("build", "letters")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the commands."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], None] = options.run
    run(options)


def _build(options: argparse.Namespace) -> None:
    """Train the tiny model from nothing. An interrupted run goes on at the stage where it stopped."""
    recipe = load_config(Recipe, options.recipe, options.overrides)
    Build(recipe, options.work).run(options.output)
    print(f"wrote {options.output}; measure it with 'python -m experiments.letters evaluate --model {options.output}'")


def _evaluate(options: argparse.Namespace) -> None:
    """Measure exact match over N for the tournament, majority vote and the best of N, and the judge, against truth."""
    for path in write_results(evaluate(options.model, options.prompts, options.seed), options.output):
        print(f"wrote {path}")


def _preferences(options: argparse.Namespace) -> None:
    """Write instructions with four responses each, rated and explained under the principles of table 14."""
    rows = checkable_rows(
        options.format,
        options.rows,
        seed=options.seed,
        split=Split(options.split),
        responder=edited_responses if options.edits else partial(sampled_responses, options.model),
        hedged=options.hedged,
    )
    write_lines(tqdm(rows, "rows", options.rows, leave=False, disable=None), options.output)
    print(f"wrote {options.rows:,} rows to {options.output}")


def _questions(options: argparse.Namespace) -> None:
    """Write held-out instructions with their right answers, as `selfjudge-train evaluate` reads questions."""
    rows = [
        {"instruction": problem.prompt, "dataset": problem.task, "answer": problem.answer}
        for problem in held_out_problems(options.count, options.seed)
    ]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {len(rows):,} questions to {options.output}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.letters", description="The tiny model, and its instructions."
    )
    commands = parser.add_subparsers(required=True)

    def command(run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        own = commands.add_parser(
            run.__name__.strip("_"),
            help=run.__doc__,
            description=run.__doc__,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        own.set_defaults(run=run)
        return own

    build, measure = command(_build), command(_evaluate)
    rows, questions = command(_preferences), command(_questions)
    build.add_argument("--recipe", type=Path, default=RECIPE, help="YAML file; letters_recipe.py explains it")
    build.add_argument("--work", type=Path, default=MADE / "work", help="folder for what is made on the way")
    build.add_argument("--output", type=Path, default=TINY_MODEL, help="folder of the finished model")
    build.add_argument("overrides", nargs="*", metavar="key=value", help="replaces a value of the recipe")
    measure.add_argument("--output", type=Path, default=RESULTS, help="folder for the results")
    measure.add_argument("--prompts", type=int, default=600, help="held-out prompts, spread over all tasks")
    rows.add_argument("output", type=Path, nargs="?", default=MADE / "rows.jsonl", help="a .jsonl or .jsonl.gz file")
    rows.add_argument("--format", choices=("hh", "ultrafeedback", "preferences"), default="ultrafeedback")
    rows.add_argument("--rows", type=int, default=2000, help="each about another instruction")
    rows.add_argument("--split", choices=("train", "held-out"), default="train", help="side of the tasks' split")
    rows.add_argument("--hedged", type=float, default=0.05, help="share of responses that say 'I guess' or the like")
    rows.add_argument("--edits", action="store_true", help="edit right answers instead of sampling: quick, unreal")
    questions.add_argument("output", type=Path, nargs="?", default=MADE / "questions.json", help="file to write")
    questions.add_argument("--count", type=int, default=600, help="instructions, spread over all tasks")
    for own in (measure, rows):
        own.add_argument("--model", type=Path, default=TINY_MODEL, help="model folder")
    for own in (measure, rows, questions):
        own.add_argument("--seed", type=int, default=0, help="decides what is drawn")
    return parser


if __name__ == "__main__":
    main()
