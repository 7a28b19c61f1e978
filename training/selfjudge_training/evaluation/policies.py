"""Who answers questions: a model folder in this process, or any OpenAI-compatible server."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import compress
from typing import Any, NamedTuple

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


Answers = list[list[Answer]]
"""For each conversation its answers."""


Policy = Callable[[Sequence[Messages], int, Sampling, int], Answers]
"""Answers conversations: so many samples of each, in their order, all `UNASKED` where the context has no room for it.

What it takes: conversations, samples, sampling, seed.
"""


def model_policy(rollouts: RollOuts) -> Policy:
    """A model run by a roll-out back end, with the adapter that it uses."""

    def sample(conversations: Sequence[Messages], samples: int, sampling: Sampling, seed: int) -> Answers:
        longest = rollouts.context - sampling.max_new_tokens
        fitting = [len(prompt) <= longest for prompt in encode_prompts(rollouts.chat, conversations)]
        asked = list(compress(conversations, fitting))
        drawn = iter(rollouts.sample(asked, samples=samples, sampling=sampling, seed=seed) if asked else ())
        return [
            [Answer(sample.text, sample.finished) for sample in next(drawn)] if fits else [UNASKED] * samples
            for fits in fitting
        ]

    return sample


def server_policy(endpoint: Endpoint, model: str) -> Policy:
    """A model behind an OpenAI-compatible `/chat/completions`; raises EndpointError."""

    def sample(conversations: Sequence[Messages], samples: int, sampling: Sampling, seed: int) -> Answers:
        drawing = {"temperature": sampling.temperature, "top_p": sampling.top_p, "max_tokens": sampling.max_new_tokens}
        how = {"model": model, "n": samples, **drawing}
        bodies = [{**how, "messages": said, "seed": seed + number} for number, said in enumerate(conversations)]
        return endpoint.each(partial(complete, endpoint), bodies, "sampling")

    return sample


class _Message(BaseModel):
    content: str | None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


_CHOICES = TypeAdapter(list[_Choice])


def complete(endpoint: Endpoint, body: dict[str, Any]) -> list[Answer]:
    """The choices of a chat completion, all `UNASKED` where the context has no room. Raises EndpointError."""
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

    A dialogue that has outgrown the model's context ends there: what was not asked is answered by nothing. Raises
    PromptError where not even one question has room.
    """
    dialogues: list[Messages] = [[] for _ in questions]
    whole = [Answer("", finished=True)] * len(questions)
    for turn in range(max(len(question.turns) for question in questions)):
        turns = {number: q.turns[turn] for number, q in enumerate(questions) if turn < len(q.turns)}
        for number, said in turns.items():
            dialogues[number].append({"role": "user", "content": said})
        asked = [number for number in turns if whole[number].fits]
        drawn = policy([dialogues[number] for number in asked], 1, sampling, seed + turn)
        answers = dict.fromkeys(turns, UNASKED) | {n: answer for n, [answer] in zip(asked, drawn, strict=True)}
        for number, answer in answers.items():
            dialogues[number].append({"role": "assistant", "content": answer.text})
            text, finished, fits = whole[number]
            text += f"\n\nUser: {turns[number]}\n\nAssistant: {answer.text}" if turn else answer.text
            whole[number] = Answer(text, finished and answer.finished, fits and answer.fits)
        if not turn and not any(answer.fits for answer in whole):
            raise PromptError(
                f"none of {len(questions)} questions and {sampling.max_new_tokens} new tokens have room in the "
                "context of the policy; lower decoding.max_new_tokens"
            )
    return whole
