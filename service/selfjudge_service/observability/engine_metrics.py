"""Prometheus metrics of supervision."""

from prometheus_client import Counter, Gauge, Histogram

READY = Gauge("selfjudge_ready", "Whether the server takes requests: the engine is up and the server isn't draining.")
DRAINING = Gauge("selfjudge_draining", "Whether the server is finishing what is under way before it ends.")
RESTARTS = Counter(
    "selfjudge_engine_restarts",
    "Engines that had to be replaced, by cause (killed: by a signal, as the kernel does without memory; crashed: ended "
    "by itself; hung: silent for watchdog_seconds; start: it did not come up, or not in time).",
    ["cause"],
)
for _cause in ("killed", "crashed", "hung", "start"):
    RESTARTS.labels(_cause)  # so that a first one is seen to be an increase

RESTART_SECONDS = Histogram(
    "selfjudge_engine_restart_seconds",
    "From the moment an engine's failure was found to the moment the next one took requests.",
    buckets=(1, 2, 4, 6, 8, 10, 15, 20, 30, 60, 120, 300, 600),
)
