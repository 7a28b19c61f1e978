"""Instructions whose answers a program can check: one task a file, all under the interface in ``task``.

A new task is a new file and a new entry in ``TASKS``; nothing else knows the tasks by name.
"""

from experiments.letters.tasks.add_numbers import AddNumbers
from experiments.letters.tasks.count_letter import CountLetter
from experiments.letters.tasks.larger_number import LargerNumber
from experiments.letters.tasks.remove_letter import RemoveLetter
from experiments.letters.tasks.reverse_list import ReverseList
from experiments.letters.tasks.sort_letters import SortLetters
from experiments.letters.tasks.task import Problem, Task

TASKS: dict[str, Task] = {
    task.name: task
    for task in (SortLetters(), ReverseList(), AddNumbers(), CountLetter(), LargerNumber(), RemoveLetter())
}

__all__ = ["TASKS", "Problem", "Task", "grade"]


def grade(problem: Problem, response: str) -> float:
    """Grade a response by its problem's task: in [0, 1], 1 if and only if it is exactly right."""
    return TASKS[problem.task].grade(problem, response)
