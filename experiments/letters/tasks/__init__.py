"""Instructions whose answers a program can check, and the side of the split that each is on."""

from experiments.letters.tasks.kinds import TASKS, Problem, draw_problem, grade

__all__ = ["TASKS", "Problem", "draw_problem", "grade"]
