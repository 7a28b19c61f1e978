"""Where the pairs of a step come from: the current policy, or a buffer that was filled before training began.

Both are judged by the frozen reference. A further way of making pairs (RSO's rejection sampling, say) is another
`Source` and changes neither the loop nor the losses.
"""

from collections.abc import Sequence
from typing import Protocol

from selfjudge_training.rollouts.base import RollOuts, Sampling
from selfjudge_training.rollouts.judge import Judge
from selfjudge_training.self_training.preferences import Judged, judge_samples
from selfjudge_training.self_training.prompts import Prompt


class Source(Protocol):
    """Gives the pairs to some prompts."""

    def judged(self, indices: Sequence[int], seed: int) -> list[Judged]:
        """One pair for each of the prompts with these indices, in their order; equal seeds give equal pairs."""
        ...


class OnPolicy:
    """Two samples of the policy to each prompt, as it is now, judged by the reference (section 3.2)."""

    def __init__(
        self, rollouts: RollOuts, judge: Judge, prompts: Sequence[Prompt], sampling: Sampling, least_margin: float
    ) -> None:
        self._rollouts, self._judge, self._prompts = rollouts, judge, prompts
        self._sampling, self._least_margin = sampling, least_margin

    def judged(self, indices: Sequence[int], seed: int) -> list[Judged]:
        """As `Source.judged`."""
        prompts = [self._prompts[index] for index in indices]
        samples = self._rollouts.sample(
            [prompt.asked for prompt in prompts], samples=2, sampling=self._sampling, seed=seed
        )
        return judge_samples(self._judge, prompts, samples, self._least_margin)


class Buffer:
    """Pairs made once, one for each prompt, and met again every epoch: off-policy learning (table 4)."""

    def __init__(self, pairs: Sequence[Judged]) -> None:
        self._pairs = pairs

    def judged(self, indices: Sequence[int], seed: int) -> list[Judged]:  # noqa: ARG002  # nothing is drawn
        """As `Source.judged`; the seed changes nothing."""
        return [self._pairs[index] for index in indices]
