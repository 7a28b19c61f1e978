"""Whether requests can be answered at present; written by supervisor and drain, read by gate and probes."""

import math
import time

from selfjudge_service.observability import metrics
from selfjudge_service.protocol.errors import UnavailableError

# OpenAI's clients give up on anything above two minutes.
_LONGEST_RETRY = 60
# A load balancer sends the retry to another replica.
_RETRY_WHILE_DRAINING = 1


class Status:
    """Down until told otherwise."""

    def __init__(self) -> None:
        self._up_at: float | None = math.inf
        self._draining = False
        self._tell()

    @property
    def ready(self) -> bool:
        """Whether requests are taken."""
        return self.refusal() is None

    @property
    def draining(self) -> bool:
        """Whether the server is about to end."""
        return self._draining

    def engine_is_up(self) -> None:
        """Requests are taken, unless the server drains."""
        self._up_at = None
        self._tell()

    def engine_is_down(self, seconds: float) -> None:
        """Requests are refused; the engine is expected back in so many seconds."""
        self._up_at = time.monotonic() + seconds
        self._tell()

    def drain(self) -> None:
        """Requests are refused from now on."""
        self._draining = True
        self._tell()

    def refusal(self) -> UnavailableError | None:
        """What a new request is answered with, None where it is taken."""
        if self._draining:
            return UnavailableError(
                "the server is shutting down: try again, best on another replica,", _RETRY_WHILE_DRAINING
            )
        if self._up_at is None:
            return None
        left = self._up_at - time.monotonic()
        retry = min(max(math.ceil(left), 1), _LONGEST_RETRY) if math.isfinite(left) else 1
        return UnavailableError("the engine is being restarted: try again", retry)

    def _tell(self) -> None:
        metrics.READY.set(self.ready)
        metrics.DRAINING.set(self._draining)
