"""Pre-training from random weights: dialogues with right answers, and right answers behind "Response A:" and "B:".

The second kind is half of a judgment: the prompt and the responses, but not the choice. It teaches what a right
answer is in the very place where the judge will have to know it, whatever stands in the other place; a base that has
never read such documents hardly learns to judge. Weak checkpoints are kept on the way: their mistakes are what the
preference pairs are made of.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import islice

from experiments.letters.model.documents import Document, Renderer, without_choice
from experiments.letters.preferences.edits import edited
from experiments.letters.tasks import Problem
from experiments.letters.tasks.split import Split, draw_problems

DIALOGUES = 0.4
"""Share of dialogues; of the rest, a third has its target at place A and ends there."""
SYSTEM_MESSAGES = 0.3
"""Share of the dialogues that open with the default system message."""


def pretraining_batches(renderer: Renderer, size: int, seed: int) -> Iterator[Sequence[Document]]:
    """Batches of pre-training documents without end, of problems on the training side of the split."""
    rng = random.Random(seed)
    problems = draw_problems(Split.TRAIN, seed)
    while True:
        yield [pretraining_document(renderer, problem, rng) for problem in islice(problems, size)]


def pretraining_document(renderer: Renderer, problem: Problem, rng: random.Random) -> Document:
    """One document in which the right answer is predicted once."""
    if rng.random() < DIALOGUES:
        return renderer.dialogue(problem.prompt, problem.answer, system=rng.random() < SYSTEM_MESSAGES)
    if rng.random() < 1 / 3:
        judgment = renderer.judgment(problem.prompt, problem.answer, "", "A", weight=0.0)
        return without_choice(renderer.with_response(judgment, "A", 1.0))
    other = edited(problem.answer, rng)
    judgment = renderer.judgment(problem.prompt, other, problem.answer, "B", weight=0.0)
    return without_choice(renderer.with_response(judgment, "B", 1.0))
