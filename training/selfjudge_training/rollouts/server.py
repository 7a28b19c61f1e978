"""Roll-outs by a running selfjudge server: it samples with the newest adapter and judges without any.

An adapter gets there through the store that both can read: it is published, then activated. Prompts go out and samples
come back as token ids, by vLLM's completions route, so that the server sees exactly what the other back ends see,
whatever template it renders chats with. Leaves out the server's own `/judge`, which makes prompts of texts by itself,
and whose reads go ahead of the samples of those whom the server is there for: training waits its turn.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AliasPath, BaseModel, Field, TypeAdapter, ValidationError
from transformers import PreTrainedTokenizerBase
from typing_extensions import override

from selfjudge import ChoiceTokens
from selfjudge.adapters import Manifest
from selfjudge_training.rollouts.base import RollOuts, Sampling
from selfjudge_training.run.endpoint import Endpoint, EndpointError
from selfjudge_training.seeds import seed_of

READS: Final = 16
"""Judge prompts in one request."""

# What a model's own generation settings may say otherwise: these are for chat, not for a policy's loss.
_PLAIN: Final = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}


class ServerRollOuts(RollOuts):
    """A server, and the version that it samples with.

    ``publish`` makes an adapter's folder a version in the server's store. The endpoint becomes ours to close. Raises
    EndpointError where the server can't be reached or serves no base model.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, endpoint: Endpoint, publish: Callable[[Path], Manifest]
    ) -> None:
        self._endpoint, self._publish = endpoint, publish
        self._base, context = _base_of(endpoint)
        self._sampled = self._base
        super().__init__(tokenizer, context)

    @override
    def _generate(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling, seed: int) -> list[list[int]]:
        """A request for each prompt; the seeds are those of the engine's back end.

        Raises EndpointError, also where the version in use is not loaded any more.
        """
        options = {
            **_PLAIN,
            "model": self._sampled,
            "n": samples,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p if sampling.temperature else 1.0,
            "max_tokens": sampling.max_new_tokens,
            "stop_token_ids": self.ends,
            "return_token_ids": True,
        }
        bodies = [{**options, "prompt": prompt, "seed": seed_of(seed, place)} for place, prompt in enumerate(prompts)]
        return [choice.token_ids for choice in self._complete(bodies, [samples] * len(bodies))]

    @override
    def _read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[list[float]]:
        """The server gathers the two values, of any rank, from its raw log-probabilities."""
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
        answers = self._complete([{**options, "prompt": group} for group in groups], map(len, groups))
        return [_choice_logprobs(answer, choice) for answer in answers]

    def use_adapter(self, path: Path) -> None:
        """Sample with this adapter from now on, a folder as PEFT writes it.

        It becomes a version in the store, which the server is told to activate. Raises AdapterError, and EndpointError
        where the server refuses it, as it does one of another base model; it says why.
        """
        manifest = self._publish(path)
        self._endpoint.post(f"adapters/{manifest.policy}/activate", {"version": manifest.version})
        self._sampled = manifest.name

    def close(self) -> None:
        """Close the connections; nothing can be sampled or read afterwards. The server goes on."""
        self._endpoint.close()

    def _complete(self, bodies: Sequence[dict[str, Any]], wanted: Iterable[int]) -> list["_Choice"]:
        """The choices of all requests in order, so many of each."""
        answers = zip(bodies, self._endpoint.post_all("completions", bodies), wanted, strict=True)
        return [choice for each in answers for choice in _choices(*each)]


class _Choice(BaseModel):
    """The part of a choice in vLLM's answer that roll-outs read."""

    index: int
    token_ids: list[int] = Field(min_length=1)
    at_first: Annotated[dict[str, float], Field(validation_alias=AliasPath("logprobs", "top_logprobs", 0))] = {}
    """Log-probabilities at the first token."""


class _Completion(BaseModel):
    model: str
    choices: list[_Choice]


class _Card(BaseModel):
    id: str
    parent: str | None = None
    max_model_len: int | None = None


def _base_of(endpoint: Endpoint) -> tuple[str, int]:
    """Name and context of the served model, which has no parent."""
    try:
        cards = TypeAdapter(list[_Card]).validate_python(endpoint.get("models").get("data"))
    except ValidationError as error:
        raise EndpointError(f"{endpoint.base_url}/models answers no list of models: {error}") from error
    for card in cards:
        if card.parent is None and card.max_model_len:
            return card.id, card.max_model_len
    raise EndpointError(f"{endpoint.base_url}/models lists no base model with its max_model_len")


def _choices(body: dict[str, Any], answer: dict[str, Any], wanted: int) -> list[_Choice]:
    try:
        completion = _Completion.model_validate(answer)
    except ValidationError as error:
        raise EndpointError(f"the answer of /completions is not as vLLM's, with token ids: {error}") from error
    if completion.model != body["model"]:
        raise EndpointError(f"{body['model']} was asked, but {completion.model} answered")
    found = sorted(completion.choices, key=lambda choice: choice.index)
    if [choice.index for choice in found] != list(range(wanted)):
        raise EndpointError(f"/completions answered {len(found)} choices where {wanted} were asked for")
    return found


def _choice_logprobs(choice: _Choice, tokens: ChoiceTokens) -> list[float]:
    names = [f"token_id:{token}" for token in tokens]
    if not choice.at_first.keys() >= set(names):
        raise EndpointError(
            f"/completions gave log-probabilities of {list(choice.at_first)}, not of {' and '.join(names)}"
        )
    return [choice.at_first[name] for name in names]
