"""Who answers questions: a model folder in this process, or any OpenAI-compatible server."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, ValidationError

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
        """So many answers to each conversation, in their order; `UNASKED` where a server finds one too long."""
        ...

    def fits(self, conversations: Sequence[Messages], new_tokens: int) -> list[bool]:
        """Whether each conversation leaves room for so many tokens, as far as can be known without asking."""
        ...


class ModelPolicy:
    """A model run by a roll-out back end, with the adapter that it uses."""

    def __init__(self, rollouts: RollOuts) -> None:
        self._rollouts = rollouts

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Answer]]:
        """As `Policy.sample`. Raises PromptError for prompts that are too long."""
        drawn = self._rollouts.sample(conversations, samples=samples, sampling=sampling, seed=seed)
        return [[Answer(sample.text, sample.finished) for sample in group] for group in drawn]

    def fits(self, conversations: Sequence[Messages], new_tokens: int) -> list[bool]:
        """As `Policy.fits`, exactly."""
        prompts = encode_prompts(self._rollouts.chat, conversations)
        return [len(prompt) + new_tokens <= self._rollouts.context for prompt in prompts]


class _Message(BaseModel):
    content: str | None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None


class _Completion(BaseModel):
    choices: list[_Choice]


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

    def fits(self, conversations: Sequence[Messages], new_tokens: int) -> list[bool]:  # noqa: ARG002
        """True: only the server can count its tokens, when it is asked."""
        return [True] * len(conversations)


def _answers(body: dict[str, Any], samples: int) -> list[Answer]:
    try:
        choices = _Completion.model_validate(body).choices
    except ValidationError as error:
        raise EndpointError(f"the policy's answer is no chat completion: {error}") from error
    if len(choices) != samples:
        raise EndpointError(f"the policy answered {len(choices)} choices where {samples} were asked for")
    return [Answer(choice.message.content or "", choice.finish_reason != "length") for choice in choices]


def sample_fitting(
    policy: Policy, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
) -> list[list[Answer]]:
    """So many answers to each conversation, in their order, all `UNASKED` where the context has no room for it."""
    fitting = policy.fits(conversations, sampling.max_new_tokens)
    asked = [conversation for conversation, fits in zip(conversations, fitting, strict=True) if fits]
    drawn = iter(policy.sample(asked, samples=samples, sampling=sampling, seed=seed))
    return [next(drawn) if fits else [UNASKED] * samples for fits in fitting]


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
        drawn = sample_fitting(
            policy, [dialogues[number] for number in asked], samples=1, sampling=sampling, seed=seed + turn
        )
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
