"""Muon for weight matrices: momentum, made orthogonal by Newton-Schulz iterations (Jordan et al. 2024).

``torch.optim.Muon`` is the library's version; it iterates in bfloat16, which processors without bfloat16 units
emulate. This one is the same method in float32 and leaves out what the recipe does not use (closures, other momenta).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from typing_extensions import override

ITERATIONS = 5
MOMENTUM = 0.95
DECAY = 0.05
"""Weight decay, decoupled: a share of the learning rate."""
A, B, C = 3.4445, -4.7750, 2.0315
"""Coefficients of the odd polynomial aX + b(XX')X + c(XX')(XX')X that drives all singular values towards 1."""


def orthogonalised(matrix: Tensor) -> Tensor:
    """A matrix [rows, columns] with the singular vectors of the given one and singular values near 1."""
    wide = matrix.shape[0] <= matrix.shape[1]
    x: Tensor = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        # One call per product: at these sizes, sums of their own cost a seventh of the time.
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return x if wide else x.T


class Muon(torch.optim.Optimizer):
    """Takes matrices only; embeddings, norms and heads are for AdamW."""

    def __init__(self, matrices: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(matrices, {"lr": lr})

    @torch.no_grad()
    @override
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # closures are left out
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                average = self.state[matrix].setdefault("average", torch.zeros_like(matrix))
                average.lerp_(matrix.grad, 1 - MOMENTUM)
                update = orthogonalised(matrix.grad.lerp(average, MOMENTUM))
                tall = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                matrix.mul_(1 - group["lr"] * DECAY).add_(update, alpha=-group["lr"] * tall)
