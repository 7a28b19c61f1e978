"""What our routes find in the application, built once when vLLM initialises its own state."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final, NamedTuple

from fastapi import Request
from starlette.datastructures import Headers
from vllm.entrypoints.openai.models.serving import OpenAIServingModels
from vllm.lora.request import LoRARequest

from selfjudge_service.adapters.start import Adapting
from selfjudge_service.admission.admission import Admission
from selfjudge_service.best_of_n.judging.judge import Judge
from selfjudge_service.best_of_n.sampler import Sampler
from selfjudge_service.observability.tournament_log import BracketLog
from selfjudge_service.protocol.errors import UnknownModelError
from selfjudge_service.settings import MethodName, Settings

VERSION_HEADER: Final = "X-Selfjudge-Version"
"""Header of answers that names the weights they are from."""

_STICKY_HEADER: Final = "X-Selfjudge-Sticky"


class SelfJudgeState(NamedTuple):
    """Shared by all requests."""

    settings: Settings
    judge: Judge
    sampler: Sampler
    models: OpenAIServingModels
    sampling_defaults: Mapping[str, Any]
    """Parameters of sampling for requests that name none, where they aren't vLLM's own."""
    admission: Admission
    method: MethodName = "tournament"
    """How the best of N is found where requests don't say."""
    adapting: Adapting | None = None
    """Versions of policies from a store, if the server has one."""
    bracket_log: BracketLog | None = None
    """Where tournaments are logged, if the operator wants that."""

    @property
    def base_model(self) -> str:
        """The base model's name; where it has several, the one that vLLM's answers bear."""
        return self.models.base_model_paths[0].name

    def adapter(self, model: str | None) -> LoRARequest | None:
        """The adapter that a model's name stands for, None for the base.

        Raises:
            UnknownModelError: if no such model is served.
        """
        if not model or self.models.is_base_model(model):
            return None
        if model not in self.models.lora_requests:
            served = [base.name for base in self.models.base_model_paths] + list(self.models.lora_requests)
            raise UnknownModelError(f"model: must be one of {', '.join(served)}, got {model!r}", "model")
        return self.models.lora_requests[model]

    def leased_version(self, model: str | None, headers: Headers, user: str | None, end: ExitStack) -> str | None:
        """The name of the version that a request for a policy gets, loaded until `end` is closed; None for no policy.

        Requests with the same sticky header, or else the same `user`, get the same one of active version and canaries.

        Raises:
            UnknownModelError: if the request names a version that isn't loaded.
        """
        if self.adapting is None or not model:
            return None
        key = self.adapting.adapters.find(model, headers.get(_STICKY_HEADER) or user)
        if key:
            end.enter_context(self.adapting.adapters.lease(key))
        return key and str(key)

    def served_name(self, model: str | None) -> str | None:
        """The name of the weights that answer for `model`, for header and log; None where no such model is served."""
        if not model or self.models.is_base_model(model):
            return model or self.base_model
        return model if model in self.models.lora_requests else None


def state_of(request: Request) -> SelfJudgeState:
    """The state of the application a request came to."""
    state: SelfJudgeState = request.app.state.selfjudge
    return state
