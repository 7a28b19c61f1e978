"""Whether vLLM can put adapters on a model, asked before an engine is started that would end over it."""

from vllm.config import ModelConfig
from vllm.model_executor.model_loader.utils import get_model_cls
from vllm.model_executor.models import supports_lora

from selfjudge.errors import AdapterError


def require_lora(model: ModelConfig) -> None:
    """Raises AdapterError `unsupported` where vLLM's implementation of a model has no place for adapters."""
    found = get_model_cls(model)
    if not supports_lora(found):
        raise AdapterError(
            "unsupported",
            f"vLLM's {found.__name__} takes no LoRA adapters: leave --adapters-dir and --enable-lora out, or serve a "
            "model that takes them",
        )
