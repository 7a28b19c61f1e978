"""What our routes find in the application: built once, when vLLM initialises its own state."""

from typing import NamedTuple

from fastapi import Request
from vllm.entrypoints.openai.models.serving import OpenAIServingModels
from vllm.lora.request import LoRARequest

from service.errors import UnknownModelError
from service.judge import Judge
from service.sampling import ChatSampler
from service.settings import Settings


class SelfJudgeState(NamedTuple):
    """Shared by all requests."""

    settings: Settings
    judge: Judge
    sampler: ChatSampler
    models: OpenAIServingModels
    default_temperature: float

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


def state_of(request: Request) -> SelfJudgeState:
    """The state of the application a request came to."""
    state: SelfJudgeState = request.app.state.selfjudge
    return state
