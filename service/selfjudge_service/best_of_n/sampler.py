"""Samples candidates through vLLM's own chat handler, one call each, so that each arrives as soon as it is finished.

Tools, structured outputs, reasoning and log-probabilities work because vLLM's handler does them. It renders the prompt
once for all candidates, so that they reach the engine together, in fewer and fuller steps.
"""

import copy
from http import HTTPStatus
from typing import Any, Final, NamedTuple, TypeAlias

from jinja2 import TemplateError
from vllm.entrypoints.openai.chat_completion.protocol import (
    ChatCompletionRequest,
    ChatCompletionResponse,
)
from vllm.entrypoints.openai.chat_completion.serving import OpenAIServingChat
from vllm.entrypoints.serve import create_error_response
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.exceptions import GenerationError, VLLMClientError, VLLMError
from vllm.inputs import EngineInput

from selfjudge_service.best_of_n.prefill import judged_text
from selfjudge_service.best_of_n.seeds import candidate_seed
from selfjudge_service.protocol.error_handlers import error_response
from selfjudge_service.protocol.errors import ApiError
from selfjudge_service.protocol.requests import ChatRequest
from selfjudge_service.tasks import cancellable

_UNMET: Final = "no token follows that {field} allows: give a schema or grammar that a text of finite length can meet"

# What vLLM's own error handlers take for the caller's mistake besides its own errors, and answer with a 400.
REFUSALS = (ValueError, TypeError, OverflowError, TemplateError)


class SampledTokens(NamedTuple):
    """A candidate as the engine computed it."""

    prompt: tuple[int, ...]
    response: tuple[int, ...]
    """Without a token at which the request had it stop, which is no part of the answer."""


class Sampled(NamedTuple):
    """A finished candidate: vLLM's whole answer with its single choice, and the text a judge compares."""

    response: ChatCompletionResponse
    text: str
    tokens: SampledTokens | None = None
    """Where they were wanted."""


class SampleError(ApiError):
    """One candidate could not be sampled, for the reason and with the status that vLLM's handler gave.

    A tournament goes on without it; where no candidate could be sampled, it is the answer to the request.
    """

    def __init__(self, error: ErrorResponse) -> None:
        super().__init__(error.error.message, error.error.param)
        self.status = HTTPStatus(error.error.code)
        self.type = error.error.type


_Rendered: TypeAlias = tuple[list[Any], list[EngineInput]]


class _Rendering(NamedTuple):
    """What vLLM's handler makes of a request: its parsers' changes to the request itself, and the rendered prompt."""

    request: ChatCompletionRequest
    conversation: list[Any]
    inputs: list[EngineInput]


class Sampler:
    """Samples candidates of requests by vLLM's chat handler."""

    def __init__(self, handler: OpenAIServingChat) -> None:
        self._handler = handler

    def hides_tokens(self, request: ChatRequest) -> bool:
        """Whether vLLM keeps the sampled tokens back, because reasoning is among them that the request won't have."""
        return not request.include_reasoning and self._handler.parser_cls is not None

    async def sample(self, request: ChatRequest, index: int, request_id: str, *, with_tokens: bool = False) -> Sampled:
        """Samples one candidate.

        Args:
            request: what is asked for.
            index: the candidate's number.
            request_id: of all candidates; names this one's work in the engine.
            with_tokens: whether the sampled tokens are wanted too.

        Raises:
            SampleError: if the engine refuses or fails this one.
        """
        one = _request_for_one(request, index, request_id)
        if with_tokens:
            one.return_token_ids = True
        try:
            answer = await cancellable(self._handler_for(request).create_chat_completion(one))
        except GenerationError as error:
            raise SampleError(unmet(request, error) or create_error_response(error)) from error
        except (VLLMError, *REFUSALS) as error:
            raise SampleError(error_response(error)) from error
        if isinstance(answer, ErrorResponse):
            raise SampleError(answer)
        if not isinstance(answer, ChatCompletionResponse):
            raise TypeError(f"vLLM's chat handler streamed an answer that was not to be streamed: {type(answer)}")
        text = judged_text(request, answer.choices[0].message.model_dump())
        return Sampled(answer, text, _tokens_taken(request, answer) if with_tokens else None)

    async def check(self, request: ChatRequest) -> None:
        """Finds what is wrong with model, prompt and options before anything is sampled; keeps the rendered prompt.

        vLLM checks a stream as any other answer, and samples nothing until it is read.

        Raises:
            SampleError: saying what.
        """
        first = _request_for_one(request, 0, "check").model_copy(update={"stream": True})
        handler = copy.copy(self._handler)
        render = handler.render_chat_request

        async def keep(one: ChatCompletionRequest) -> _Rendered | ErrorResponse:
            rendered = await render(one)
            if not isinstance(rendered, ErrorResponse):
                request._rendering = _Rendering(one, *rendered)
            return rendered

        handler.render_chat_request = keep  # type: ignore[method-assign, assignment]  # on this copy alone
        # The candidates will be logged, if the operator wants that.
        handler.request_logger = None
        try:
            stream = await handler.create_chat_completion(first)
        except (VLLMClientError, *REFUSALS) as error:
            raise SampleError(error_response(error)) from error
        if isinstance(stream, ErrorResponse):
            raise SampleError(stream)

    def _handler_for(self, request: ChatRequest) -> OpenAIServingChat:
        """The handler, or where the request has been rendered, one that takes that for its own rendering."""
        rendering = request._rendering
        if not isinstance(rendering, _Rendering):
            return self._handler

        async def reuse(request: ChatCompletionRequest) -> _Rendered:  # noqa: ARG001  the handler's interface
            return rendering.conversation, [one.copy() for one in rendering.inputs]

        handler = copy.copy(self._handler)
        handler.render_chat_request = reuse  # type: ignore[method-assign]  # on this copy alone
        return handler


def prompt_tokens(request: ChatRequest) -> int | None:
    """How long the prompt is; None where it has not been rendered, or to something else than tokens."""
    rendering = request._rendering
    inputs: list[Any] = rendering.inputs if isinstance(rendering, _Rendering) else []
    ids = inputs[0].get("prompt_token_ids") if inputs else None
    return None if ids is None else len(ids)


def _tokens_taken(request: ChatRequest, answer: ChatCompletionResponse) -> SampledTokens:
    """The tokens of an answer, which keeps them only if the request wants them itself."""
    choice = answer.choices[0]
    if answer.prompt_token_ids is None or choice.token_ids is None:
        raise TypeError("vLLM's chat handler answered without the token ids that it was asked for")
    sampled = tuple(choice.token_ids)
    stopped_by_token = isinstance(choice.stop_reason, int)
    tokens = SampledTokens(tuple(answer.prompt_token_ids), sampled[:-1] if stopped_by_token else sampled)
    if not request.return_token_ids:
        answer.prompt_token_ids = choice.token_ids = None
    return tokens


def unmet(request: ChatCompletionRequest, error: GenerationError) -> ErrorResponse | None:
    """The refusal that a failed generation comes to if the request constrains it; None if the failure is the server's.

    vLLM compiles a constraint (grammar, schema, tools) without finding out that it can't be met, such as a schema that
    is its own and only property. The engine then has no token to choose, and vLLM calls that an internal error. Without
    a constraint, and where vLLM names another status than 500, nothing says that the caller is to blame.
    """
    plain = request.response_format is None or request.response_format.type == "text"
    constraints = {
        "structured_outputs": request.structured_outputs,
        "response_format": None if plain else request.response_format,
        "tools": request.tools,
    }
    field = next((name for name, constraint in constraints.items() if constraint), None)
    if field is None or error.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    return create_error_response(_UNMET.format(field=field), "BadRequestError", HTTPStatus.BAD_REQUEST, field)


def _request_for_one(request: ChatRequest, index: int, request_id: str) -> ChatCompletionRequest:
    rendered = request._rendering.request if isinstance(request._rendering, _Rendering) else request
    return rendered.model_copy(
        update={
            "n": 1,
            "stream": False,
            "stream_options": None,
            "seed": candidate_seed(request.seed, index),
            "request_id": f"{request_id}-{index}",
            # Parsers for tools and reasoning rewrite what they find in a request.
            "messages": list(rendered.messages),
        }
    )
