"""Requests whose candidates would all be the same: the sampler has one token to choose from at each step."""

import math
from collections.abc import Mapping
from typing import Any, Final

from selfjudge_service.protocol.requests import ChatRequest

_LEAVES_ONE: Final = {
    "temperature": (0, math.nextafter(1e-5, 0)),  # 0 to vLLM: `vllm.sampling_params._SAMPLING_EPS`
    "top_k": (1, 1),
    "top_p": (0, 1e-6),  # the most probable of a million tokens has a larger share than this
    "min_p": (1, 1),
}
"""From where to where, ends included, a parameter of sampling leaves only the most probable token."""


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
