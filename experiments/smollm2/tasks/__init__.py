"""Tasks with truth: requests in English whose constraints a program verifies."""

from experiments.smollm2.tasks.drawing import Part, tasks
from experiments.smollm2.tasks.task import Constraint, Task

__all__ = ["Constraint", "Part", "Task", "tasks"]
