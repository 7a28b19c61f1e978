"""Prometheus metrics of selection and judging.

They live in the default registry and so appear on vLLM's own /metrics beside vLLM's `vllm:` metrics.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from prometheus_client import Counter, Histogram

from service.errors import ApiError

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_UNIT = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)

REQUESTS = Counter(
    "selfjudge_requests",
    "Requests by route and outcome (ok, client_error, server_error, cancelled).",
    ["route", "outcome"],
)
CANDIDATES = Counter("selfjudge_candidates", "Candidates sampled, by outcome (ok, failed, cancelled).", ["outcome"])
DUPLICATES = Counter("selfjudge_duplicates", "Matches between identical candidates, decided without a judgment.")
JUDGMENTS = Counter("selfjudge_judgments", "Verdicts over both orders, one per principle.")
INCONSISTENT = Counter("selfjudge_inconsistent_judgments", "Judgments whose two orders prefer different responses.")
JUDGE_TOKENS = Counter(
    "selfjudge_judge_tokens", "Prompt tokens read to judge, by source (computed, cached).", ["source"]
)
SAMPLED_TOKENS = Counter("selfjudge_sampled_tokens", "Tokens sampled, by fate (returned, rejected).", ["fate"])
LABEL_MASS = Histogram(
    "selfjudge_label_mass",
    "P(A) + P(B) of a judgment: how surely the judge answers with a choice token.",
    buckets=(0.1, 0.25, *_UNIT),
)
WINNER_MARGIN = Histogram(
    "selfjudge_winner_margin",
    "Probability that a tournament's final preferred its winner.",
    buckets=(0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0),
)
MATCH_SECONDS = Histogram("selfjudge_match_seconds", "From a match's start to its verdict.", buckets=_SECONDS)
SAMPLING_SECONDS = Histogram(
    "selfjudge_sampling_seconds", "From a request's start to its last sample.", buckets=_SECONDS
)
TOURNAMENT_SECONDS = Histogram(
    "selfjudge_tournament_seconds", "From a request's start to its winner.", buckets=_SECONDS
)


class Counting:
    """A request being counted; a stream takes the counting over from the route that starts it."""

    handed_over = False


@contextmanager
def count_outcome(route: str) -> Iterator[Counting]:
    """Counts one request by how the block ends, unless somebody else took the counting over."""
    counting, outcome = Counting(), "server_error"
    try:
        yield counting
        outcome = "ok"
    except (asyncio.CancelledError, GeneratorExit):
        outcome = "cancelled"
        raise
    except ApiError as error:
        outcome = "client_error" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
        raise
    finally:
        if not counting.handed_over:
            REQUESTS.labels(route, outcome).inc()
