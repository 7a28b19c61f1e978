"""Plans a best-of-N request: how many candidates, what to judge by, the deadline; everything that costs no tokens.

The server's default `best_of_n` is for requests that name none and would gain by it. vLLM answers the others as if
there were no default: those that can't be judged, those whose samples would all be equal, and those of which another
server computes one half. A request that asks for selection, by `best_of_n` or by `self_rejection`, gets an error that
says what prevents it.
"""

import math
import re
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from vllm.lora.request import LoRARequest

from selfjudge import ConversationError, Message
from selfjudge_service.best_of_n.constraints import Constraint, constraint_of
from selfjudge_service.best_of_n.judging.in_place import InPlacePanel
from selfjudge_service.best_of_n.judging.judge import Judge, Panel
from selfjudge_service.best_of_n.judging.label_reads import JUDGE_PRIORITY
from selfjudge_service.best_of_n.methods import method_of
from selfjudge_service.best_of_n.prefill import judged_conversation
from selfjudge_service.best_of_n.response import Head
from selfjudge_service.best_of_n.sampler import Sampler
from selfjudge_service.best_of_n.seeds import bracket_seed
from selfjudge_service.observability.request_context import engine_id
from selfjudge_service.protocol.errors import ApiError, InvalidFieldError
from selfjudge_service.protocol.misplaced_fields import BEST_OF_N_HEADER
from selfjudge_service.protocol.requests import ChatRequest, SelfRejection
from selfjudge_service.settings import MethodName, Settings

_INTEGER = re.compile(r"\s*[0-9]{1,9}\s*")
_LEAVES_ONE: Final = {
    "temperature": (0, math.nextafter(1e-5, 0)),  # 0 to vLLM: `vllm.sampling_params._SAMPLING_EPS`
    "top_k": (1, 1),
    "top_p": (0, 1e-6),  # the most probable of a million tokens has a larger share than this
    "min_p": (1, 1),
}
"""Ranges, ends included, in which a parameter of sampling leaves only the most probable token."""


class Shared(Protocol):
    """The part of `SelfJudgeState` that planning and selecting need."""

    @property
    def settings(self) -> Settings:
        """The operator's."""
        ...

    @property
    def judge(self) -> Judge:
        """Compares and scores candidates."""
        ...

    @property
    def method(self) -> MethodName:
        """How the best is found where requests don't say."""
        ...

    @property
    def sampler(self) -> Sampler:
        """Brings candidates."""
        ...

    @property
    def sampling_defaults(self) -> Mapping[str, Any]:
        """Parameters of sampling for requests that name none."""
        ...

    @property
    def base_model(self) -> str:
        """Its name."""
        ...


class Plan(NamedTuple):
    """A request whose checks have passed."""

    request: ChatRequest
    options: SelfRejection
    best_of_n: int
    """Candidates to sample."""
    top: int
    seed: int
    method: MethodName
    panel: Panel | InPlacePanel
    conversation: list[Message]
    constraint: Constraint | None
    warnings: list[str]
    arrived: float
    """When the request came, by the monotonic clock; its deadline counts from there."""
    request_id: str
    """Names its work in the engine."""
    head: Head


def wanted_best_of_n(request: ChatRequest, header: str | None, shared: Shared) -> int:
    """How many candidates to sample: the body's `best_of_n`, else the header's, else the server's default.

    The default is 1 for requests that it is not for.

    Raises:
        InvalidFieldError: unless it is an integer within the limit, and `n` one from 1 to it.
        ApiError: if it is 1 and the request has options of a tournament.
    """
    best_of_n = _asked_or_default(request, header, shared)
    if best_of_n == 1 and request.self_rejection:
        raise ApiError("self_rejection: has no effect without selection: set best_of_n to 2 or more", "self_rejection")
    return best_of_n


def _asked_or_default(request: ChatRequest, header: str | None, shared: Shared) -> int:
    limit, choices = shared.settings.max_best_of_n, 1 if request.n is None else request.n
    field, wanted = "best_of_n", request.best_of_n
    if wanted is None and header is not None:
        field, wanted = BEST_OF_N_HEADER, int(header) if _INTEGER.fullmatch(header) else 0
    if wanted is None:
        default = shared.settings.default_best_of_n
        return default if default > 1 and _selects_by_default(request, shared) else 1
    if not 1 <= wanted <= limit:
        raise InvalidFieldError(
            field, f"must be an integer from 1 to {limit}", header if field == BEST_OF_N_HEADER else wanted
        )
    if not 1 <= choices <= wanted:
        raise InvalidFieldError("n", f"must be an integer from 1 to {field}, which is {wanted}", choices)
    return wanted


def candidates_needed(request: ChatRequest, best_of_n: int, shared: Shared) -> int:
    """How many of `best_of_n` to sample: where all would be equal, as many as are returned."""
    return request.n or 1 if why_equal(request, shared.sampling_defaults) else best_of_n


def plan(request: ChatRequest, best_of_n: int, lora: LoRARequest | None, shared: Shared, arrived: float) -> Plan:
    """Checks everything that can be checked before tokens are spent.

    Raises:
        ApiError: naming what is wrong.
    """
    if request.use_beam_search:
        raise InvalidFieldError("use_beam_search", "must be off with best_of_n: candidates are samples", True)
    options = request.self_rejection or SelfRejection()
    try:
        method, panel = method_of(request, options, lora, shared)
    except ApiError as error:
        raise error.inside("self_rejection") if error.param in SelfRejection.model_fields else error from error
    panel = panel._replace(cache_salt=request.cache_salt, priority=JUDGE_PRIORITY)
    try:
        conversation = judged_conversation(request)
        panel.check(conversation)
    except ConversationError as error:
        raise ApiError(f"messages can't be judged: {error}", "messages") from error
    request_id = engine_id()
    return Plan(
        request,
        options,
        candidates_needed(request, best_of_n, shared),
        request.n or 1,
        bracket_seed(options.seed, request.seed),
        method,
        panel,
        conversation,
        constraint_of(request),
        _warnings(request, best_of_n, shared),
        arrived,
        request_id,
        Head(f"chatcmpl-{request_id}", int(time.time()), lora.lora_name if lora else shared.base_model),
    )


def _warnings(request: ChatRequest, best_of_n: int, shared: Shared) -> list[str]:
    if why := why_equal(request, shared.sampling_defaults):
        return [f"{why}: all candidates would be equal, so that no more are sampled than are returned, not {best_of_n}"]
    return []


def _selects_by_default(request: ChatRequest, shared: Shared) -> bool:
    """Whether a request that names no `best_of_n` gets the server's."""
    if request.n not in (None, 1):
        return False
    if request.self_rejection is not None:
        return True
    disaggregated = request.kv_transfer_params or request.ec_transfer_params
    if disaggregated or request.use_beam_search or why_equal(request, shared.sampling_defaults):
        return False
    try:
        method_of(request, SelfRejection(), None, shared).panel.check(judged_conversation(request))
    except (ApiError, ConversationError):
        return False
    return True


def why_equal(request: ChatRequest, defaults: Mapping[str, Any]) -> str | None:
    """What makes all candidates of a request equal, such as "temperature is 0"; None where they may differ.

    Args:
        request: what is asked for.
        defaults: the server's own parameters of sampling, for requests that name none.
    """
    for name, (least, most) in _LEAVES_ONE.items():
        given = getattr(request, name)
        value = defaults.get(name) if given is None else given
        if value is not None and least <= value <= most:
            return f"{name} is {value:g}"
    return None
