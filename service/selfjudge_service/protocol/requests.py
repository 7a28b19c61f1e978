"""What callers send: the request bodies of our routes, validated.

`ChatRequest` is vLLM's own chat request plus two fields, so everything vLLM's server accepts is accepted here.
"""

from typing import Annotated, Any, Literal, Self

import msgspec
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest

from selfjudge_service.protocol.errors import InvalidFieldError, unreadable_value
from selfjudge_service.protocol.misplaced_fields import refuse_misspelt, refuse_outside
from selfjudge_service.settings import MethodName

Include = Literal["bracket", "candidates", "progress"]
JudgeModel = Literal["policy", "reference"]
Seed = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
Principles = Annotated[list[StrictStr], Field(min_length=1, max_length=16)]


class _Body(BaseModel):
    """A typo in a field's name is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class JudgingOptions(_Body):
    """How to judge, shared by every route that does."""

    template: StrictStr | None = None
    """Judgment template; the server's default if unset."""
    principles: Principles | None = None
    """Judge under each of these principles; the winner is the one that wins under more of them."""
    judge: JudgeModel = "policy"
    """Weights that judge: those that answer, or the base model without adapter."""


class SelfRejection(JudgingOptions):
    """Options of best-of-N selection (self-rejection, section 3.3 of the paper)."""

    method: MethodName | None = None
    """How the best is found; if unset as template or principles need it, else by the server's default."""
    seed: Seed | None = None
    """Seed of the bracket, and of the order of equals; if unset made from `seed`, else drawn at random; reported."""
    include: list[Include] = Field([], max_length=3)
    """Details to add to the answer."""
    deadline_ms: Annotated[int, Field(ge=1, le=86_400_000, strict=True)] | None = None
    """Time after which the best so far is returned and the rest cancelled."""


Store = Annotated[
    StrictBool | None, Field(description="False keeps the tournament out of the server's bracket log, if it has one.")
]

# The engine is not sent these: the server reads them, or makes token ids of them.
_NOT_SENT = frozenset({"messages", "documents", "tools", "model", "self_rejection"})

_PART = "must be a content part that vLLM knows, with its fields, such as {'type': 'text', 'text': '...'}"

_OBJECTS = ("chat_template_kwargs", "kv_transfer_params", "response_format", "stream_options", "structured_outputs")


class ChatRequest(ChatCompletionRequest):
    """vLLM's chat request plus best-of-N selection."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    best_of_n: StrictInt | None = None
    """Candidates to sample and hold a tournament among."""
    self_rejection: SelfRejection | None = None
    """Options of the tournament."""
    store: Store = None

    _rendering: object = PrivateAttr(default=None)
    """What vLLM made of the prompt, once `Sampler` has rendered it."""

    @model_validator(mode="before")
    @classmethod
    def _containers_are_what_they_should_be(cls, data: object) -> object:
        # vLLM's validators walk into these before pydantic has looked at them, and fail on other types.
        if isinstance(data, dict):
            unknown = [name for name in data if name not in cls.model_fields]
            refuse_outside(data, unknown, SelfRejection.model_fields)
            refuse_misspelt(data, unknown)
            if not isinstance(messages := data.get("messages", []), list):
                raise InvalidFieldError("messages", "must be a list of messages", messages)
            for field in _OBJECTS:
                if not isinstance(value := data.get(field), dict | None):
                    raise InvalidFieldError(field, "must be an object", value)
            for field in data.keys() - _NOT_SENT:
                if accepted := _unsendable({field: data[field]}):
                    raise InvalidFieldError(field, accepted, data[field])
        return data

    @model_validator(mode="after")
    def _contents_can_be_read_twice(self) -> Self:
        # Pydantic makes some lists of parts an iterator for one use, which validates while it is read.
        messages: list[Any] = self.messages  # pydantic gives other types than those that vLLM declares
        for index, message in enumerate(messages):
            if not isinstance(message, dict) or isinstance(content := message.get("content"), str | list | None):
                continue
            try:
                message["content"] = list(content)
            except ValidationError as error:
                part = error.errors()[0]["loc"][0]
                raise InvalidFieldError(
                    f"messages.{index}.content.{part}", _PART, error.errors()[0]["input"]
                ) from error
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _validators_refuse_and_never_fail(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except (AttributeError, IndexError, KeyError, RecursionError, TypeError) as error:
            raise unreadable_value(error) from error


def _unsendable(value: object) -> str | None:
    """What would be accepted instead, where msgpack has no place for JSON: vLLM would fail when it sends it."""
    try:
        msgspec.msgpack.encode(value, enc_hook=lambda _: None)
    except OverflowError:
        return "must hold no integer of more than 64 bits"
    except UnicodeEncodeError:
        return "must hold no lone surrogate (half of a character, such as \\ud800)"
    return None


class ChatTurn(BaseModel):
    """An OpenAI message of the conversation that is judged: the fields that judges see."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: StrictStr | list[StrictStr | dict[str, Any]] | None = None
    """Text, or parts of it; null or absent where the assistant calls tools or refuses."""
    refusal: StrictStr | None = None
    tool_calls: list[dict[str, Any]] | None = None
    function_call: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.role != "assistant" and self.content is None:
            raise ValueError(f"a message of role {self.role!r} must have 'content', text or a list of text parts")
        if not self.model_fields_set & {"content", "refusal", "tool_calls", "function_call"}:
            raise ValueError("must have 'content', 'tool_calls' or 'refusal'")
        return self


class _Context(_Body):
    """The conversation an answer belongs to: a prompt or messages, never both."""

    prompt: StrictStr | None = None
    """A single instruction."""
    messages: list[ChatTurn] | None = Field(None, min_length=1)
    """A conversation."""

    @model_validator(mode="after")
    def _one_of_prompt_and_messages(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either 'prompt' or 'messages'")
        return self


class Comparison(_Context):
    """Two responses to one conversation."""

    response_a: StrictStr
    response_b: StrictStr


class JudgeRequest(JudgingOptions):
    """One comparison, its fields at the top level, or a batch of them."""

    model: StrictStr | None = None
    prompt: StrictStr | None = None
    messages: list[ChatTurn] | None = Field(default=None, min_length=1)
    response_a: StrictStr | None = None
    response_b: StrictStr | None = None
    comparisons: list[Comparison] | None = Field(default=None, min_length=1)
    rationale: StrictBool = False
    """Generate a rationale after the choice token."""

    @model_validator(mode="after")
    def _one_or_many(self) -> Self:
        single = (self.prompt, self.messages, self.response_a, self.response_b)
        if self.comparisons is None:
            self.single()
        elif any(field is not None for field in single):
            raise ValueError("give either 'comparisons' or the fields of one comparison, not both")
        return self

    def single(self) -> Comparison:
        """The comparison given at the top level.

        Raises:
            ValueError: if a field of it is missing.
        """
        if self.response_a is None or self.response_b is None:
            raise ValueError("give 'response_a' and 'response_b', or a list 'comparisons'")
        return Comparison(
            prompt=self.prompt, messages=self.messages, response_a=self.response_a, response_b=self.response_b
        )


class RankRequest(JudgingOptions, _Context):
    """Candidates from anywhere, to be ranked by a tournament."""

    model: StrictStr | None = None
    candidates: list[StrictStr] = Field(min_length=2)
    seed: Seed | None = None
    top_n: Annotated[int, Field(ge=1, strict=True)] | None = None
    """Ranks wanted; all of them if unset. Fewer ranks need fewer judgments."""
    store: Store = None
