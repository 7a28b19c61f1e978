"""The judge that can't be wrong: the program that grades an instruction which can be checked."""

from collections.abc import Iterable, Sequence

from selfjudge import Comparison, Orders, Winner
from selfjudge_training.evaluation.judges import Judgment
from selfjudge_training.tasks import Problem, grade


class TruthJudge:
    """Judges responses to these problems by their grades, equal grades a tie; a panel and its judge in one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self._problems = {problem.prompt: problem for problem in problems}

    def under(self, principle: str | None) -> "TruthJudge":  # noqa: ARG002  # truth is one
        """Itself: there is one truth under every principle."""
        return self

    def verdicts(self, comparisons: Sequence[Comparison]) -> list[Judgment]:
        """A judgment of each comparison. Raises ValueError for a conversation that can't be checked."""
        return [self._verdict(comparison) for comparison in comparisons]

    def _verdict(self, comparison: Comparison) -> Judgment:
        context = comparison.conversation
        prompt = context if isinstance(context, str) else str(context[-1].get("content"))
        if prompt not in self._problems:
            raise ValueError(f"only checkable instructions can be judged by truth, not {prompt[:80]!r}")
        problem = self._problems[prompt]
        lead = grade(problem, comparison.first) - grade(problem, comparison.second)
        winner: Winner = "A" if lead > 0 else "B" if lead < 0 else "tie"
        probability = {"A": 1.0, "tie": 0.5, "B": 0.0}[winner]
        return Judgment(winner, probability, Orders(probability, probability), consistent=True, label_mass=1.0)
