"""What a refused caller is told: which limit is in the way, and when to come back."""

from selfjudge_service.admission.queue import Gate, Reason
from selfjudge_service.admission.throughput import Drain
from selfjudge_service.observability import admission_metrics as metrics
from selfjudge_service.protocol.errors import OverloadedError


def refusal(reason: Reason, gate: Gate, drain: Drain, caller: str, weight: int | None) -> OverloadedError:
    """The answer to a request that may neither run nor wait, counted.

    Args:
        reason: the limit in the way.
        gate: what runs and waits.
        drain: how fast that finishes.
        caller: whose the request is.
        weight: in candidates; None where nobody has read that far.
    """
    metrics.REFUSALS.labels(reason).inc()
    running, waiting, own, limits = gate.running, gate.waiting, gate.load_of(caller), gate.limits
    everybodys = running.candidates + waiting.candidates
    if reason == "key_requests":
        message = f"this API key has {own.requests} requests in flight, all that key_max_requests allows"
        return OverloadedError(
            message, drain.come_back_to_own(own.candidates // own.requests, own.candidates, everybodys)
        )
    if reason == "key_candidates":
        allowed, wanted = limits.key_candidates or 0, weight or 1
        message = (
            f"this API key has {own.candidates} candidates in flight and asks for {wanted} more, "
            f"beyond the {allowed} that key_max_candidates allows"
        )
        missing = min(own.candidates + wanted - allowed, own.candidates)
        return OverloadedError(message, drain.come_back_to_own(missing, own.candidates, everybodys))
    if reason == "queue_seconds":
        message = f"no room was found within the {limits.queue_seconds:g} s that queue_seconds allows"
    else:
        message = f"the server is full: {running.candidates} candidates run and {waiting.requests} requests wait"
        if waiting.requests and drain.rate:
            message += f", the last of them for about {drain.seconds_for(waiting.candidates):.0f} s"
    # A request that nobody has read is taken to be like the others.
    expected = weight or everybodys / (running.requests + waiting.requests)
    # By then half of the queue is gone: there is room again, and the server doesn't run dry.
    return OverloadedError(message, drain.come_back(waiting.candidates // 2, expected))
