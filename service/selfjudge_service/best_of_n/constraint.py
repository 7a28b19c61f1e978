"""Constraints on what may be generated (grammars, schemas, tools) that turn out to allow nothing.

vLLM compiles a constraint without finding out that it can't be met, such as a schema that is its own and only property.
The engine then has no token to choose, and vLLM calls that an internal error.
"""

from http import HTTPStatus
from typing import Final

from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.serve import create_error_response
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.exceptions import GenerationError

_MESSAGE: Final = "no token follows that {field} allows: give a schema or grammar that a text of finite length can meet"


def unmet(request: ChatCompletionRequest, error: GenerationError) -> ErrorResponse | None:
    """The refusal that a failed generation comes to if the request constrains it; None if the failure is the server's.

    Without a constraint, and where vLLM names another status than 500, nothing says that the caller is to blame.
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
    return create_error_response(_MESSAGE.format(field=field), "BadRequestError", HTTPStatus.BAD_REQUEST, field)
