"""Who answers questions: a model folder in this process, or any OpenAI-compatible server."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, ValidationError
from tqdm import tqdm

from training.data.records import Messages
from training.evaluation.outputs import dialogue_text
from training.evaluation.questions import Question
from training.rollouts.base import RollOuts, Sampling
from training.rollouts.prompts import encode_prompts
from training.run.endpoint import Endpoint, EndpointError

CHUNK = 512
"""Responses sampled between two moves of the progress bar."""


class Answer(NamedTuple):
    """One response to a conversation."""

    text: str
    finished: bool
    """False where the limit of new tokens cut it off."""
    fits: bool = True
    """False where a turn had no room in the model's context: it was not asked, and nothing stands in its place."""


class Policy(Protocol):
    """Answers conversations."""

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Answer]]:
        """So many answers to each conversation, in their order."""
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
        """So many answers to each conversation, in their order. Raises PromptError for prompts that are too long."""
        size = max(1, CHUNK // samples)
        answers, starts = [], range(0, len(conversations), size)
        bar = tqdm(starts, "sampling", unit="batch", leave=False, disable=len(starts) == 1)
        for number, start in enumerate(bar):
            chunk = conversations[start : start + size]
            drawn = self._rollouts.sample(chunk, samples=samples, sampling=sampling, seed=seed + number)
            answers += [[Answer(sample.text, sample.finished) for sample in group] for group in drawn]
        return answers

    def fits(self, conversations: Sequence[Messages], new_tokens: int) -> list[bool]:
        """Whether each conversation and so many tokens are within the model's context."""
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
        """So many answers to each conversation, in their order. Raises EndpointError."""
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
        return [_answers(body, samples) for body in self._endpoint.post_all("chat/completions", bodies, "sampling")]

    def fits(self, conversations: Sequence[Messages], new_tokens: int) -> list[bool]:  # noqa: ARG002
        """True: only the server can count its tokens, and it answers what is too long by an error."""
        return [True] * len(conversations)


def _answers(body: dict[str, Any], samples: int) -> list[Answer]:
    try:
        choices = _Completion.model_validate(body).choices
    except ValidationError as error:
        raise EndpointError(f"the policy's answer is no chat completion: {error}") from error
    if len(choices) != samples:
        raise EndpointError(f"the policy answered {len(choices)} choices where {samples} were asked for")
    return [Answer(choice.message.content or "", choice.finish_reason != "length") for choice in choices]


def answer_questions(policy: Policy, questions: Sequence[Question], sampling: Sampling, seed: int) -> list[Answer]:
    """One answer to each question; a question of several turns is a dialogue, its later turns asked after answers.

    An answer to a dialogue is finished where all of its turns' are. A dialogue that has outgrown the model's context
    ends there: its answer does not fit, and the turns that were not asked are answered by nothing.
    """
    dialogues: list[Messages] = [[] for _ in questions]
    answers: list[list[Answer]] = [[] for _ in questions]
    for turn in range(max(len(question.turns) for question in questions)):
        asked = [number for number, question in enumerate(questions) if turn < len(question.turns)]
        for number in asked:
            dialogues[number].append({"role": "user", "content": questions[number].turns[turn]})
        fitting = policy.fits([dialogues[number] for number in asked], sampling.max_new_tokens)
        asked = [number for number, fits in zip(asked, fitting, strict=True) if fits and len(answers[number]) == turn]
        drawn = policy.sample([dialogues[n] for n in asked], samples=1, sampling=sampling, seed=seed + turn)
        for number, [answer] in zip(asked, drawn, strict=True):
            answers[number].append(answer)
            dialogues[number].append({"role": "assistant", "content": answer.text})
    return [_dialogue(question, given) for question, given in zip(questions, answers, strict=True)]


def _dialogue(question: Question, answers: Sequence[Answer]) -> Answer:
    missing = [Answer("", finished=False, fits=False)] * (len(question.turns) - len(answers))
    whole = [*answers, *missing]
    text = dialogue_text(question.turns, [answer.text for answer in whole])
    return Answer(text, all(answer.finished for answer in whole), not missing)
