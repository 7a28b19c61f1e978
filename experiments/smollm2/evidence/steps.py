"""What is measured in which order: what matters most comes first; a step is a process with one model's engine."""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from experiments.smollm2.evidence.cells.answering import answer_tasks, score_others, weigh_answers
from experiments.smollm2.evidence.cells.bench import Bench
from experiments.smollm2.evidence.cells.benchmark import answer_round
from experiments.smollm2.evidence.cells.elsewhere import answer_questions, judge_llmbar, weigh_llmbar
from experiments.smollm2.evidence.cells.hot_swap import swap
from experiments.smollm2.evidence.cells.pairing import judge_pairs
from experiments.smollm2.evidence.cells.tournaments import hold_tournaments
from experiments.smollm2.evidence.evidence_plan import BASE, JM, EvidencePlan

Cell = Callable[[Bench], None]


class Step(NamedTuple):
    """Cells that one model's engine measures."""

    model: str
    cells: tuple[Cell, ...]


def plan_steps(plan: EvidencePlan) -> Iterator[Step]:
    """All steps: tasks and judgments, IFEval round by round, the self-trained models, what else JSFT may change."""
    trained = [name for name in plan.models if name not in (BASE, JM)]
    judging = (answer_tasks, judge_pairs, partial(score_others, of=JM))
    first, rounds = (
        partial(answer_round, number=0),
        {name: _rounds(model.ifeval) for name, model in plan.models.items()},
    )
    yield Step(JM, (answer_tasks, judge_pairs, weigh_answers, hold_tournaments))
    yield Step(BASE, (*judging, first))
    yield Step(JM, rounds[JM])
    for name in trained:
        yield Step(name, (*judging, first))
    teachers = {name: plan.models[name].reference for name in trained}
    for teacher in dict.fromkeys(filter(None, teachers.values())):
        yield Step(teacher, tuple(partial(score_others, of=name) for name in trained if teachers[name] == teacher))
    elsewhere = (weigh_llmbar, judge_llmbar)
    yield Step(JM, (*elsewhere, answer_questions))
    yield Step(JM, (swap,))  # beside no other engine
    yield Step(BASE, (*elsewhere, answer_questions, hold_tournaments, *rounds[BASE]))
    for name in trained:
        yield Step(name, (weigh_llmbar, hold_tournaments, *rounds[name]))


def _rounds(number: int) -> tuple[Cell, ...]:
    return tuple(partial(answer_round, number=each) for each in range(number))


def measure(plan: EvidencePlan, root: Path) -> None:
    """All steps; models that are not there are left out, which is said on stderr."""
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))
    for step in plan_steps(plan):
        if not plan.models[step.model].path.is_dir():
            print(f"{plan.models[step.model].path} is not there: {step.model} is not measured", file=sys.stderr)
            continue
        # An engine keeps memory and settings of its process.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            pool.submit(run_step, plan, root, step).result()


def run_step(plan: EvidencePlan, root: Path, step: Step) -> None:
    """All its cells, on one bench."""
    bench = Bench(plan, root, step.model)
    for cell in step.cells:
        cell(bench)
