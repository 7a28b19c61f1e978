"""Who answers questions: a model folder in this process, or any OpenAI-compatible server."""

from collections.abc import Sequence
from functools import partial
from itertools import compress
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, TypeAdapter, ValidationError

from selfjudge_training.data.records import Messages
from selfjudge_training.evaluation.policy.questions import Question
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


class ServerPolicy:
    """A model behind an OpenAI-compatible `/chat/completions`."""

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        self._endpoint, self._model = endpoint, model

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Answer]]:
        """As `Policy.sample`. Raises EndpointError for what the server refuses but for its length."""
        how = {
            "model": self._model,
            "n": samples,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
        }
        bodies = [{**how, "messages": said, "seed": seed + number} for number, said in enumerate(conversations)]
        return self._endpoint.each(partial(complete, self._endpoint), bodies, "sampling")


class _Message(BaseModel):
    content: str | None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


_CHOICES = TypeAdapter(list[_Choice])


def complete(endpoint: Endpoint, body: dict[str, Any]) -> list[Answer]:
    """The choices of a chat completion, as many as were asked for, all `UNASKED` where the context has no room.

    Raises EndpointError.
    """
    asked = body.get("n", 1)
    try:
        answer = endpoint.post("chat/completions", body)
        choices = _CHOICES.validate_python(answer.get("choices"))
    except TooLongError:
        return [UNASKED] * asked
    except ValidationError as error:
        raise EndpointError(f"{endpoint.base_url} answered no chat completion: {error}") from error
    if len(choices) != asked:
        raise EndpointError(f"{endpoint.base_url} answered {len(choices)} choices where {asked} were asked for")
    return [Answer(choice.message.content or "", choice.finish_reason != "length") for choice in choices]


def answer_questions(policy: Policy, questions: Sequence[Question], sampling: Sampling, seed: int) -> list[Answer]:
    """One answer to each question; a question of several turns is a dialogue, its later turns asked after answers.

    An answer to a dialogue is finished where all of its turns' are. A dialogue that has outgrown the model's context
    ends there: its answer does not fit, and the turns that were not asked are answered by nothing. Raises PromptError
    where not even one question has room.
    """
    answers: list[list[Answer]] = [[] for _ in questions]
    for turn in range(max(len(question.turns) for question in questions)):
        going_on = [
            (question, given)
            for question, given in zip(questions, answers, strict=True)
            if turn < len(question.turns) and all(answer.fits for answer in given)
        ]
        asked = [_conversation(question, given) for question, given in going_on]
        drawn = policy.sample(asked, samples=1, sampling=sampling, seed=seed + turn)
        for (_, given), [answer] in zip(going_on, drawn, strict=True):
            given.append(answer)
        if not any(given[0].fits for given in answers):
            raise PromptError(
                f"none of {len(questions)} questions and {sampling.max_new_tokens} new tokens have room in the "
                "context of the policy; lower decoding.max_new_tokens"
            )
    return [_dialogue(question, given) for question, given in zip(questions, answers, strict=True)]


def _conversation(question: Question, given: Sequence[Answer]) -> Messages:
    """What was said so far, and the next turn."""
    said = list(question.first_turn)
    for answer, turn in zip(given, question.turns[1:], strict=False):
        said += [{"role": "assistant", "content": answer.text}, {"role": "user", "content": turn}]
    return said


def _dialogue(question: Question, given: Sequence[Answer]) -> Answer:
    """All answers as one: the first, then later turns and their answers."""
    whole = [*given, *[UNASKED] * (len(question.turns) - len(given))]
    later = zip(question.turns[1:], whole[1:], strict=True)
    texts = [whole[0].text, *(f"User: {turn}\n\nAssistant: {answer.text}" for turn, answer in later)]
    finished, fits = all(answer.finished for answer in whole), all(answer.fits for answer in whole)
    return Answer("\n\n".join(texts), finished, fits)
