"""`python -m experiments.smollm2 evaluate`: measure what is not measured yet, then write the report of all that is."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from selfjudge_training.run.config import load_config

from experiments.smollm2.evidence.evidence_plan import EvidencePlan

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # it has no public name

FULL, QUICK = (Path(__file__).with_name(f"{name}.yaml") for name in ("evidence", "quick"))


def add_evaluate(commands: "Commands") -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "evaluate",
        help="measure the models against truth, IFEval and LLMBar, and write the report",
        description="Measure the models against truth, IFEval and LLMBar, and write the report. A killed run goes on "
        "where it stopped; models and data that are not there are reported as not measured yet. The verifiers of "
        "IFEval come with the set-up for checks and tests (`make check`).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(run=_evaluate)
    parser.add_argument("--plan", type=Path, default=FULL, help="YAML file; evidence_plan.py explains it")
    parser.add_argument("--quick", action="store_true", help="a few prompts of everything, in minutes: a trial")
    parser.add_argument("--work", type=Path, help="folder of raw rows; none: build/smollm2/evidence, or quick-evidence")
    parser.add_argument("--output", type=Path, help="folder of the report; none: docs/results, or that of the raw rows")
    parser.add_argument("--llmbar", type=Path, help="folder of LLMBar's JSON files")
    parser.add_argument("--ifeval", type=Path, help="IFEval's prompts as JSON lines; none: google/IFEval from the hub")
    parser.add_argument("--mt-bench", type=Path, help="MT-Bench's questions as JSON lines")
    parser.add_argument("--report-only", action="store_true", help="measure nothing")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replaces a value of the plan")


def _evaluate(options: argparse.Namespace) -> None:
    # Training goes without the verifiers of IFEval, which come with the set-up for checks and tests.
    from experiments.smollm2.evidence.results.everything import read_everything  # noqa: PLC0415
    from experiments.smollm2.evidence.results.evidence_report import write_evidence  # noqa: PLC0415
    from experiments.smollm2.evidence.steps import measure  # noqa: PLC0415

    given = {"chat.llmbar": options.llmbar, "ifeval.path": options.ifeval, "chat.questions": options.mt_bench}
    overrides = [f"{key}={path}" for key, path in given.items() if path is not None]
    plan = load_config(EvidencePlan, QUICK if options.quick else options.plan, [*overrides, *options.overrides])
    work = options.work or Path("build", "smollm2", "quick-evidence" if options.quick else "evidence")
    output = options.output or (work if options.quick else Path("docs", "results"))
    if not options.report_only:
        measure(plan, work)
    for path in write_evidence(plan, read_everything(plan, work), work, output):
        print(f"wrote {path}")
