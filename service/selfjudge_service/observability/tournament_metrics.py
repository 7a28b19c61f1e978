"""Metrics of the bracket log."""

from typing import Literal, get_args

from prometheus_client import Counter

Outcome = Literal["written", "not_sampled", "opted_out", "queue_full", "log_full", "error"]

BRACKETS = Counter(
    "selfjudge_brackets",
    "Tournaments that ended while a bracket log was kept, by outcome: written; left out by bracket_log_share "
    "(not_sampled) or on the request's wish (opted_out); lost to a slow disk (queue_full), to bracket_log_max_mib "
    "(log_full) or to an error of the disk (error).",
    ["outcome"],
)
for _outcome in get_args(Outcome):
    BRACKETS.labels(_outcome)


def count(outcome: Outcome) -> None:
    """Counts one tournament."""
    BRACKETS.labels(outcome).inc()
