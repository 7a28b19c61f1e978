"""The frozen reference as the judge of samples where they stand: one read behind each, and its score is P(good).

The judged tokens are the sampled ones, not their text encoded anew, behind the prompt that they were sampled from.
"""

from collections.abc import Sequence

from selfjudge import ChoiceTokens, InPlaceEncoder, InPlaceTemplate
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import RollOuts, Sample, encode_prompts


class Scorer:
    """Scores by a back end's bare model. Raises TemplateError for a template that compares."""

    def __init__(self, rollouts: RollOuts, template: InPlaceTemplate) -> None:
        self._rollouts, self._encoder = rollouts, InPlaceEncoder(rollouts.chat, template)
        self._labels = ChoiceTokens(*self._encoder.labels)
        self.tokens = len(self._encoder.tail()) + 1
        """What a judgment needs behind the prompt and the sample: the question and the label."""

    def scores(self, conversations: Sequence[Messages], sampled: Sequence[Sequence[Sample]]) -> list[list[float]]:
        """P(good), the two labels renormalised, of each sample of each conversation, as the policy was asked it.

        Raises PromptError where a judgment is longer than the model's context, ReadingError where the model says NaN.
        """
        prompts = encode_prompts(self._rollouts.chat, conversations)
        continued = self._encoder.continued
        ids = [
            prompt + continued(sample.token_ids)
            for prompt, samples in zip(prompts, sampled, strict=True)
            for sample in samples
        ]
        readings = iter(self._rollouts.read(ids, self._labels))
        return [[next(readings).preference for _ in samples] for samples in sampled]
