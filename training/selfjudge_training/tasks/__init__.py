"""Instructions whose answers a program can check: one task a file, all under the interface in ``task``.

A new task is a new file and a new entry in ``TASKS``; nothing else knows the tasks by name.
"""

from selfjudge_training.tasks.add_numbers import AddNumbers
from selfjudge_training.tasks.count_letter import CountLetter
from selfjudge_training.tasks.larger_number import LargerNumber
from selfjudge_training.tasks.remove_letter import RemoveLetter
from selfjudge_training.tasks.reverse_list import ReverseList
from selfjudge_training.tasks.sort_letters import SortLetters
from selfjudge_training.tasks.task import Problem, Task

TASKS: dict[str, Task] = {
    task.name: task
    for task in (SortLetters(), ReverseList(), AddNumbers(), CountLetter(), LargerNumber(), RemoveLetter())
}

__all__ = ["TASKS", "Problem", "Task", "grade"]


def grade(problem: Problem, response: str) -> float:
    """Grade a response by its problem's task: in [0, 1], 1 if and only if it is exactly right."""
    return TASKS[problem.task].grade(problem, response)
