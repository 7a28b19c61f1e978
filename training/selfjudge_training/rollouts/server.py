"""Roll-outs by a running selfjudge server: it samples with the newest adapter and judges without any.

An adapter gets there through the store that both can read: it is published, then activated. Prompts go out and samples
come back as token ids, by vLLM's completions route, so that the server sees exactly what the other back ends see,
whatever template it renders chats with. Leaves out the server's own `/judge`, which makes prompts of texts by itself,
and whose reads go ahead of the samples of those whom the server is there for: training waits its turn.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, Field, PositiveInt, ValidationError
from transformers import PreTrainedTokenizerBase

from selfjudge import Chat, ChoiceTokens, Reading, SafeTokenizer
from selfjudge.adapters import Manifest
from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import Sample, Sampling, encode_prompts, make_samples, require_room
from selfjudge_training.run.config import Section
from selfjudge_training.run.endpoint import Endpoint, EndpointError
from selfjudge_training.seeds import seed_of

READS: Final = 16
"""Judge prompts in one request."""

# What a model's own generation settings may say otherwise: these are for chat, not for a policy's loss.
_PLAIN: Final = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}


class ServerSettings(Section):
    """Where the server is."""

    at: str = "http://127.0.0.1:8000/v1"
    """Of one server, started with the store and with admin keys; not of a balancer over several, of which some would
    take up a version later than others."""
    key_variable: str = "SELFJUDGE_ADMIN_KEY"
    """Environment variable that holds an admin key of the server, which opens all of its routes."""
    requests_at_once: PositiveInt = 32
    """Requests under way at a time."""


class ServerRollOuts:
    """A server, and the version that it samples with."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, endpoint: Endpoint, publish: Callable[[Path], Manifest]
    ) -> None:
        """``publish`` makes an adapter's folder a version in the server's store. The endpoint becomes ours to close.

        Raises EndpointError where the server can't be reached or serves no base model.
        """
        self._endpoint, self._publish = endpoint, publish
        self.chat = Chat(SafeTokenizer(tokenizer))
        self._ends = self.chat.end_ids()
        base = _base_of(endpoint)
        self.context = base.max_model_len or 0
        self._base = self._sampled = base.id

    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Sample]]:
        """As `RollOuts.sample`, a request for each conversation; the seeds are those of the engine's back end.

        Raises EndpointError, also where the version in use is not loaded any more.
        """
        prompts = encode_prompts(self.chat, conversations)
        require_room(prompts, sampling.max_new_tokens, self.context)
        greedy = sampling.temperature == 0
        drawn = 1 if greedy else samples
        options = {
            **_PLAIN,
            "model": self._sampled,
            "n": drawn,
            "temperature": sampling.temperature,
            "top_p": 1.0 if greedy else sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
            "stop_token_ids": self._ends,
            "return_token_ids": True,
        }
        bodies = [{**options, "prompt": prompt, "seed": seed_of(seed, place)} for place, prompt in enumerate(prompts)]
        choices = [choice for answer in self._complete(bodies, drawn) for choice in answer]
        made = make_samples(self.chat, [choice.token_ids for choice in choices], self._ends)
        return [made[start : start + drawn] * (samples // drawn) for start in range(0, len(made), drawn)]

    def read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[Reading]:
        """As `RollOuts.read`; the server gathers the two values, of any rank, from its raw log-probabilities."""
        require_room(prompts, 1, self.context)
        options = {
            "model": self._base,
            "temperature": 0,
            "max_tokens": 1,
            "logprobs": len(choice),
            "logprob_token_ids": list(choice),
            "return_token_ids": True,
            "return_tokens_as_token_ids": True,
        }
        groups = [list(prompts[start : start + READS]) for start in range(0, len(prompts), READS)]
        answers = self._complete([{**options, "prompt": group} for group in groups], 1)
        return [_reading(one, choice) for answer in answers for one in answer]

    def use_adapter(self, path: Path | None) -> None:
        """As `RollOuts.use_adapter`: the folder becomes a version in the store, which the server is told to activate.

        Raises EndpointError where the server refuses it, as it does one of another base model; it says why.
        """
        if path is None:
            self._sampled = self._base
            return
        manifest = self._publish(path)
        self._endpoint.post(f"adapters/{manifest.policy}/activate", {"version": manifest.version})
        self._sampled = manifest.name

    def close(self) -> None:
        """Close the connections; nothing can be sampled or read afterwards. The server goes on."""
        self._endpoint.close()

    def _complete(self, bodies: Sequence[dict[str, Any]], choices: int) -> list[list["_Choice"]]:
        """The choices of each request, in order: so many for each of its prompts."""
        answers = self._endpoint.post_all("completions", bodies)
        return [_choices(body, answer, choices) for body, answer in zip(bodies, answers, strict=True)]


class _Logprobs(BaseModel):
    top_logprobs: list[dict[str, float]] = Field(min_length=1)


class _Choice(BaseModel):
    """The part of a choice in vLLM's answer that roll-outs read."""

    index: int
    token_ids: list[int] = Field(min_length=1)
    logprobs: _Logprobs | None


class _Completion(BaseModel):
    model: str
    choices: list[_Choice]


class _Card(BaseModel):
    id: str
    parent: str | None = None
    max_model_len: int | None = None


class _Models(BaseModel):
    data: list[_Card]


def _base_of(endpoint: Endpoint) -> _Card:
    """The served model, which has no parent."""
    try:
        cards = _Models.model_validate(endpoint.get("models")).data
    except ValidationError as error:
        raise EndpointError(f"{endpoint.base_url}/models answers no list of models: {error}") from error
    for card in cards:
        if card.parent is None and card.max_model_len:
            return card
    raise EndpointError(f"{endpoint.base_url}/models lists no base model with its max_model_len")


def _choices(body: dict[str, Any], answer: dict[str, Any], each: int) -> list[_Choice]:
    try:
        completion = _Completion.model_validate(answer)
    except ValidationError as error:
        raise EndpointError(f"the answer of /completions is not as vLLM's, with token ids: {error}") from error
    if completion.model != body["model"]:
        raise EndpointError(f"{body['model']} was asked, but {completion.model} answered")
    wanted = each * (len(body["prompt"]) if isinstance(body["prompt"][0], list) else 1)
    found = sorted(completion.choices, key=lambda choice: choice.index)
    if [choice.index for choice in found] != list(range(wanted)):
        raise EndpointError(f"/completions answered {len(found)} choices where {wanted} were asked for")
    return found


def _reading(choice: _Choice, tokens: ChoiceTokens) -> Reading:
    at_choice = choice.logprobs.top_logprobs[0] if choice.logprobs else {}
    names = [f"token_id:{token}" for token in tokens]
    if not at_choice.keys() >= set(names):
        raise EndpointError(f"/completions gave log-probabilities of {list(at_choice)}, not of {' and '.join(names)}")
    return Reading(*(at_choice[name] for name in names))
