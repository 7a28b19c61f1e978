"""Partial credit: how near a wrong answer comes to the right one, by spelling or by value.

Leaves out any notion of style: the tasks have one right answer, and only truth is graded.
"""

BEST_WRONG_GRADE = 0.9
"""No wrong answer is graded above this, so that 1 always means exactly right."""


def edit_distance(left: str, right: str) -> int:
    """Levenshtein distance: the fewest insertions, deletions and replacements that turn one text into the other."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def spelling_grade(answer: str, response: str) -> float:
    """Grade in [0, 1] by edit distance relative to the right answer's length; an over-long response ends at 0."""
    if response == answer:
        return 1.0
    # A response this much longer than the answer has grade 0 whatever it says; do not pay for measuring it.
    if len(response) >= 2 * len(answer):
        return 0.0
    return BEST_WRONG_GRADE * max(0.0, 1 - edit_distance(response, answer) / len(answer))


def count_grade(answer: str, response: str) -> float:
    """Grade a count in [0, 1] by how far it is from the right one; whatever is not a plain short number gets 0."""
    if response == answer:
        return 1.0
    if not (response.isascii() and response.isdigit() and len(response) <= 2):
        return 0.0
    return BEST_WRONG_GRADE / (1 + abs(int(response) - int(answer)))
