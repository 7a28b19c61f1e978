"""What a step takes on GPUs, by a roofline: the longer of computing and of streaming the weights, then the KV cache.

    t = overhead + max(2 P tokens / F, P bytes / B) + KV bytes of all sequences / B + 4 L d pairs / F + t_parallel

P parameters, F attainable FLOP/s and B attainable bytes/s (a share of the data sheet's), L layers, d the width of all
query heads. Under tensor parallelism P, KV and attention are divided by the number of GPUs, and each layer has two
all-reduces of the tokens' activations. Sampling and scheduling are in `overhead`.
"""

from typing import NamedTuple

from loadtests.scale.assumptions import Efficiency, Gpu, Model
from loadtests.scale.costs import Step
from loadtests.scale.engine import Limits


class RooflineCosts(NamedTuple):
    """Costs of a replica on one or several GPUs."""

    gpu: Gpu
    gpus: int
    model: Model
    efficiency: Efficiency

    def seconds(self, step: Step) -> float:
        """Of one step."""
        flops = self.gpu.tflops * 1e12 * self.efficiency.compute * self.gpus
        bandwidth = self.gpu.bandwidth_tb_s * 1e12 * self.efficiency.bandwidth * self.gpus
        weights = self.model.parameters_billion * 1e9
        linear = max(2 * weights * step.tokens / flops, weights * self.model.bytes_per_value / bandwidth)
        cache = step.context * kv_bytes(self.model) / bandwidth
        attention = 4 * self.model.layers * self.model.query_heads * self.model.head_size * step.pairs / flops
        return self.efficiency.step_overhead_ms / 1e3 + linear + cache + attention + self._parallel(step.tokens)

    def _parallel(self, tokens: int) -> float:
        if self.gpus == 1:
            return 0.0
        width = self.model.query_heads * self.model.head_size
        sent = 2 * (self.gpus - 1) / self.gpus * tokens * width * self.model.bytes_per_value
        each = self.efficiency.all_reduce_us / 1e6 + sent / (self.gpu.link_gb_s * 1e9 * self.efficiency.bandwidth)
        return 2 * self.model.layers * each

    def limits(self) -> Limits:
        """What the engine may do: vLLM's defaults for this GPU, and as much cache as memory leaves."""
        memory = self.gpu.memory_gb * 1e9 * self.gpus * self.efficiency.memory
        left = memory - self.model.parameters_billion * 1e9 * self.model.bytes_per_value
        if left <= 0:
            raise ValueError(f"{self.model.name} does not fit {self.gpus} x {self.gpu.name}: take more GPUs a replica")
        return Limits(self.gpu.max_num_seqs, self.gpu.max_num_batched_tokens, 16, int(left / kv_bytes(self.model)))


def kv_bytes(model: Model) -> float:
    """Bytes of keys and values for one token."""
    return 2 * model.layers * model.kv_heads * model.head_size * model.bytes_per_value
