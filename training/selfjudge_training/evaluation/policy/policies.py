"""Who answers questions: a model folder in this process, or any OpenAI-compatible server."""

from collections.abc import Sequence
from itertools import compress
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, TypeAdapter, ValidationError

from selfjudge_training.data.records import Messages
from selfjudge_training.evaluation.policy.questions import Question, dialogue_text
from selfjudge_training.rollouts.base import PromptError, RollOuts, Sampling, encode_prompts
from selfjudge_training.run.endpoint import Endpoint, EndpointError, TooLongError


class Answer(NamedTuple):
    """One response to a conversation."""

    text: str
    finished: bool
    """False where the limit of new tokens cut it off."""
    fits: bool = True
    """False where a turn had no room in the model's context: it was not asked, and nothing stands in its place."""


UNASKED = Answer("", finished=False, fits=False)


class Policy(Protocol):
    """Answers conversations."""

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Answer]]:
        """So many answers to each conversation, in their order, all `UNASKED` where the context has no room for it."""
        ...


class ModelPolicy:
    """A model run by a roll-out back end, with the adapter that it uses."""

    def __init__(self, rollouts: RollOuts) -> None:
        self._rollouts = rollouts

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Answer]]:
        """As `Policy.sample`."""
        longest = self._rollouts.context - sampling.max_new_tokens
        fitting = [len(prompt) <= longest for prompt in encode_prompts(self._rollouts.chat, conversations)]
        asked = list(compress(conversations, fitting))
        drawn = iter(self._rollouts.sample(asked, samples=samples, sampling=sampling, seed=seed) if asked else ())
        return [
            [Answer(sample.text, sample.finished) for sample in next(drawn)] if fits else [UNASKED] * samples
            for fits in fitting
        ]


class _Message(BaseModel):
    content: str | None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None


_CHOICES = TypeAdapter(list[_Choice])


class ServerPolicy:
    """A model behind an OpenAI-compatible `/chat/completions`."""

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        self._endpoint, self._model = endpoint, model

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Answer]]:
        """As `Policy.sample`. Raises EndpointError for what the server refuses but for its length."""
        bodies: list[dict[str, Any]] = [
            {
                "model": self._model,
                "messages": conversation,
                "n": samples,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "max_tokens": sampling.max_new_tokens,
                "seed": seed + number,
            }
            for number, conversation in enumerate(conversations)
        ]
        return self._endpoint.each(self._ask, bodies, "sampling")

    def _ask(self, body: dict[str, Any]) -> list[Answer]:
        try:
            return _answers(self._endpoint.post("chat/completions", body), body["n"])
        except TooLongError:
            return [UNASKED] * body["n"]


def _answers(body: dict[str, Any], samples: int) -> list[Answer]:
    try:
        choices = _CHOICES.validate_python(body.get("choices"))
    except ValidationError as error:
        raise EndpointError(f"the policy's answer is no chat completion: {error}") from error
    if len(choices) != samples:
        raise EndpointError(f"the policy answered {len(choices)} choices where {samples} were asked for")
    return [Answer(choice.message.content or "", choice.finish_reason != "length") for choice in choices]


def answer_questions(policy: Policy, questions: Sequence[Question], sampling: Sampling, seed: int) -> list[Answer]:
    """One answer to each question; a question of several turns is a dialogue, its later turns asked after answers.

    An answer to a dialogue is finished where all of its turns' are. A dialogue that has outgrown the model's context
    ends there: its answer does not fit, and the turns that were not asked are answered by nothing. Raises PromptError
    where not even one question has room.
    """
    dialogues: list[Messages] = [[] for _ in questions]
    answers: list[list[Answer]] = [[] for _ in questions]
    for turn in range(max(len(question.turns) for question in questions)):
        going_on = (number for number in range(len(questions)) if len(answers[number]) == turn)
        asked = [number for number in going_on if turn < len(questions[number].turns)]
        for number in asked:
            dialogues[number].append({"role": "user", "content": questions[number].turns[turn]})
        conversations = [dialogues[number] for number in asked]
        drawn = policy.sample(conversations, samples=1, sampling=sampling, seed=seed + turn)
        for number, [answer] in zip(asked, drawn, strict=True):
            if answer.fits:
                answers[number].append(answer)
                dialogues[number].append({"role": "assistant", "content": answer.text})
        if not any(answers):
            raise PromptError(
                f"none of {len(questions)} questions and {sampling.max_new_tokens} new tokens have room in the "
                "context of the policy; lower decoding.max_new_tokens"
            )
    return [_dialogue(question, given) for question, given in zip(questions, answers, strict=True)]


def _dialogue(question: Question, answers: Sequence[Answer]) -> Answer:
    missing = [UNASKED] * (len(question.turns) - len(answers))
    whole = [*answers, *missing]
    text = dialogue_text(question.turns, [answer.text for answer in whole])
    return Answer(text, all(answer.finished for answer in whole), not missing)
