"""What a run says of itself: how well it answers and how well it judges, from the sums of the training batches."""

import torch
from torch import Tensor

FIELDS = 6


def tally(losses: Tensor, hits: Tensor, labelled: Tensor, choices: Tensor) -> Tensor:
    """Sums of one micro-batch, to be added up over micro-batches and processes; a tensor of `FIELDS` numbers.

    All arguments have the shape [examples, predicted tokens]: the loss and whether the target was the likeliest token
    (both 0 where nothing is labelled), where a label is, and where the label is a judgment's choice token.
    """
    others = labelled & ~choices
    sums = [(values * where).sum() for where in (choices, others) for values in (losses, hits, torch.ones_like(losses))]
    return torch.stack(sums).detach().double()


def means(sums: Tensor) -> dict[str, float]:
    """Metrics by name; those of choice tokens, or of other targets, are missing where there was none.

    `judgment/loss` and `judgment/right` are about choice tokens, where guessing gives 0.69 and 0.5 once the model says
    nothing but A or B; `text/loss` and `text/right` are about all other targets. Losses are in nats per token.
    """
    metrics: dict[str, float] = {}
    for group, (loss, right, count) in zip(("judgment", "text"), sums.reshape(2, 3).tolist(), strict=True):
        if count:
            metrics |= {f"{group}/loss": loss / count, f"{group}/right": right / count}
    return metrics
