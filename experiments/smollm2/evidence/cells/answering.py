"""Answers to the held-out tasks, the truth about them, and what models say of single ones.

Only tasks with right and wrong answers are judged further: at all others a pick changes nothing.
"""

from collections.abc import Mapping
from functools import cache

from experiments.smollm2.evidence.cells.bench import Bench, Sampled, asked
from experiments.smollm2.evidence.cells.forms import Read
from experiments.smollm2.evidence.cells.likelihood import Likelihood, likelihoods
from experiments.smollm2.evidence.evidence_plan import EvidencePlan
from experiments.smollm2.evidence.kept import KeptRow, keep, read_kept
from experiments.smollm2.tasks import Task, tasks

AT_ONCE = 16
"""Tasks whose answers are judged together, and lost together where the run is killed."""
SAMPLED_AT_ONCE = 32


class Scores(KeptRow):
    """What another model than theirs says of the answers to one prompt, of each in its place."""

    reads: list[Read]


def held_out(plan: EvidencePlan) -> dict[str, Task]:
    """The held-out tasks by their prompts."""
    return {task.prompt: task for task in _held_out(plan.tasks.prompts, plan.seed)}


@cache
def _held_out(number: int, seed: int) -> list[Task]:
    return tasks("held-out", number, seed)


def answer_tasks(bench: Bench) -> None:
    """Sample."""
    plan, prompts = bench.plan, {key: key for key in held_out(bench.plan)}
    bench.sample(bench.file("answers"), prompts, bench.model.samples, plan.tasks.decoding.sampling, SAMPLED_AT_ONCE)


def answers_of(bench: Bench, of: str | None = None) -> dict[str, Sampled]:
    """A model's answers to the held-out tasks, as far as they are there."""
    known = held_out(bench.plan)
    return {key: row for key, row in read_kept(bench.file("answers", of), Sampled).items() if key in known}


def truth(task: Task, row: Sampled) -> list[bool]:
    """Which answers keep all constraints."""
    return [task.keeps(text) for text in row.texts]


def undecided(plan: EvidencePlan, answers: Mapping[str, Sampled]) -> list[str]:
    """The tasks with right and wrong answers."""
    known = held_out(plan)
    return [key for key, row in answers.items() if len(set(truth(known[key], row))) == 2]


def score_others(bench: Bench, of: str) -> None:
    """The score in place of every answer of another model to the tasks that are undecided."""
    answers = answers_of(bench, of)
    if not answers:
        return
    how = {"judge": bench.identity, "answers": identity(bench, of)}

    def score(keys: list[str]) -> list[Scores]:
        said = [(asked(key), one) for key in keys for one in answers[key].answers]
        reads = iter(bench.forms.scores([conversation for conversation, _ in said], [one for _, one in said]))
        return [Scores(key=key, reads=[next(reads) for _ in answers[key].texts]) for key in keys]

    file = bench.file(f"scores-by-{bench.name}", of)
    keep(file, Scores, how, undecided(bench.plan, answers), AT_ONCE, score)


def weigh_answers(bench: Bench) -> None:
    """The log-likelihood of every answer to the tasks that are undecided."""
    answers = answers_of(bench)

    def weigh(keys: list[str]) -> list[Likelihood]:
        return likelihoods(bench.model.path, {key: (asked(key), answers[key].token_ids) for key in keys})

    how = {"model": bench.identity}
    keep(bench.file("likelihoods"), Likelihood, how, undecided(bench.plan, answers), AT_ONCE, weigh)


def identity(bench: Bench, name: str) -> str:
    """What tells a model's weights from others."""
    return Bench(bench.plan, bench.root, name).identity
