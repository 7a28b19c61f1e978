"""What operators see of admission; the gauges are what autoscalers go by. No label holds a key."""

from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from selfjudge_service.admission.queue import Reason

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

# Several server processes of one replica add up.
TOURNAMENTS_RUNNING = Gauge("selfjudge_tournaments_running", "Tournaments running.", multiprocess_mode="livesum")
CANDIDATES_RUNNING = Gauge(
    "selfjudge_candidates_running", "Weight of all requests running, in candidates.", multiprocess_mode="livesum"
)
CANDIDATES_LIMIT = Gauge(
    "selfjudge_candidates_limit", "Weight that may run at once, in candidates.", multiprocess_mode="livesum"
)
QUEUE_LENGTH = Gauge("selfjudge_queue_length", "Requests waiting for admission.", multiprocess_mode="livesum")
QUEUE_SECONDS = Histogram("selfjudge_queue_seconds", "From a request's arrival to its admission.", buckets=_SECONDS)
REFUSALS = Counter(
    "selfjudge_refusals",
    "Requests answered 429, by the limit in the way (queue_full, queue_seconds, key_requests, key_candidates).",
    ["reason"],
)
for _reason in get_args(Reason):
    REFUSALS.labels(_reason)  # so that a first one is seen to be an increase
