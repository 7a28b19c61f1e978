"""Prometheus metrics of the server, the judge's health among them.

They live in the default registry and so appear on vLLM's own /metrics beside vLLM's `vllm:` metrics. No label holds
what a client wrote. docs/operations.md lists all.
"""

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Literal, get_args

from prometheus_client import Counter, Gauge, Histogram
from starlette.exceptions import HTTPException
from vllm.entrypoints.serve import create_error_response

from selfjudge import Comparison, PrincipleVerdict
from selfjudge.errors import AdapterFault
from selfjudge_service.observability.request_context import note
from selfjudge_service.protocol.errors import ApiError

# What nginx logs where a client hung up before its answer.
CLIENT_CLOSED_REQUEST = 499

RestartCause = Literal["killed", "crashed", "hung", "start"]
LogOutcome = Literal["written", "not_sampled", "opted_out", "queue_full", "log_full", "error"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_UNIT = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)

REQUESTS = Counter(
    "selfjudge_requests",
    "Requests by route and outcome (ok, client_error, server_error, cancelled).",
    ["route", "outcome"],
)
CANDIDATES = Counter("selfjudge_candidates", "Candidates sampled, by outcome (ok, failed, cancelled).", ["outcome"])
BROKEN_CONSTRAINTS = Counter(
    "selfjudge_broken_constraints",
    "Candidates that break the schema, structured output or forced tool call that their request asks for.",
)
DUPLICATES = Counter(
    "selfjudge_duplicates",
    "Matches and scores that needed no judgment of their own, by kind (identical: equal texts; repeated: texts that "
    "met before, or tokens that were scored before).",
    ["kind"],
)
JUDGMENTS = Counter("selfjudge_judgments", "Verdicts over both orders, one per principle.")
INCONSISTENT = Counter("selfjudge_inconsistent_judgments", "Judgments whose two orders prefer different responses.")
UNREADABLE = Counter(
    "selfjudge_unreadable_comparisons",
    "Comparisons without a verdict and scores that could not be read, the judge's answer being NaN.",
)
JUDGE_TOKENS = Counter(
    "selfjudge_judge_tokens", "Prompt tokens read to judge, by source (computed, cached).", ["source"]
)
SAMPLED_TOKENS = Counter("selfjudge_sampled_tokens", "Tokens sampled, by fate (returned, rejected).", ["fate"])
LABEL_MASS = Histogram(
    "selfjudge_label_mass",
    "P(A) + P(B) of a judgment, or of a score's two labels: how surely the judge answers with one of them.",
    buckets=(0.1, 0.25, *_UNIT),
)
CONFIDENCE = Histogram(
    "selfjudge_judgment_confidence",
    "Probability of the response that a judgment prefers, averaged over both orders: 0.5 where they contradict.",
    buckets=(0.5, 0.55, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99, 1.0),
)
LENGTH_PULL = Counter(
    "selfjudge_length_pull",
    "Sum over judgments of |log2 of the lengths' ratio| times |P - 1/2|, by which response was preferred "
    "(longer, shorter). The difference over selfjudge_length_spread is the length preference slope.",
    ["towards"],
)
LENGTH_SPREAD = Counter("selfjudge_length_spread", "Sum over judgments of the squared log2 of the lengths' ratio.")
SCORES = Histogram(
    "selfjudge_score",
    "P(good) of a candidate that the method score has read, the two labels renormalised.",
    buckets=(0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0),
)
WINNER_MARGIN = Histogram(
    "selfjudge_winner_margin",
    "Probability that a tournament's final preferred its winner.",
    buckets=(0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0),
)
BEST_OF_N = Histogram(
    "selfjudge_best_of_n", "Candidates that a tournament was asked to sample.", buckets=(2, 3, 4, 8, 16, 32, 64, 128)
)
WORK_TOKENS = Counter(
    "selfjudge_work_tokens",
    "Tokens of tournaments that were held to an end, by work: sampling (sampled ones), judging (computed, not cached).",
    ["work"],
)
WORK_SECONDS = Counter(
    "selfjudge_work_seconds",
    "Seconds that tournaments' candidates waited for samples and its matches for verdicts, added up, by work.",
    ["work"],
)
DEADLINES = Counter("selfjudge_deadlines", "Tournaments cut short by the request's deadline_ms.")
MATCH_SECONDS = Histogram("selfjudge_match_seconds", "From a match's start to its verdict.", buckets=_SECONDS)
SAMPLING_SECONDS = Histogram(
    "selfjudge_sampling_seconds", "From a request's start to its last sample.", buckets=_SECONDS
)
TOURNAMENT_SECONDS = Histogram(
    "selfjudge_tournament_seconds", "From a request's start to its winner.", buckets=_SECONDS
)

ADAPTER_LOADS = Counter(
    "selfjudge_adapter_loads",
    "Versions of adapters brought into the engine or refused, by outcome (ok, or why it was refused).",
    ["outcome"],
)
ADAPTER_SWAPS = Counter("selfjudge_adapter_swaps", "Switches of a policy's active version.", ["policy"])
LOOP_TASKS = Gauge(
    "selfjudge_event_loop_tasks", "Tasks of the server's event loop: what an idle server has, and what requests add."
)

ADAPTER_INFO = Gauge(
    "selfjudge_adapter_info", "1 for the version that is active of each policy.", ["policy", "version"]
)

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

READY = Gauge("selfjudge_ready", "Whether the server takes requests: the engine is up and the server isn't draining.")
DRAINING = Gauge("selfjudge_draining", "Whether the server is finishing what is under way before it ends.")
RESTARTS = Counter(
    "selfjudge_engine_restarts",
    "Engines that had to be replaced, by cause (killed: by a signal, as the kernel does without memory; crashed: ended "
    "by itself; hung: silent for watchdog_seconds; start: it did not come up, or not in time).",
    ["cause"],
)
RESTART_SECONDS = Histogram(
    "selfjudge_engine_restart_seconds",
    "From the moment an engine's failure was found to the moment the next one took requests.",
    buckets=(1, 2, 4, 6, 8, 10, 15, 20, 30, 60, 120, 300, 600),
)

BRACKETS = Counter(
    "selfjudge_brackets",
    "Tournaments that ended while a bracket log was kept, by outcome: written; left out by bracket_log_share "
    "(not_sampled) or on the request's wish (opted_out); lost to a slow disk (queue_full), to bracket_log_max_mib "
    "(log_full) or to an error of the disk (error).",
    ["outcome"],
)

# Series of a known set are there from the start: a first event counts as an increase, and no ratio lacks a term.
for _counter, _values in (
    (CANDIDATES, ("ok", "failed", "cancelled")),
    (DUPLICATES, ("identical", "repeated")),
    (JUDGE_TOKENS, ("computed", "cached")),
    (SAMPLED_TOKENS, ("returned", "rejected")),
    (LENGTH_PULL, ("longer", "shorter")),
    (WORK_TOKENS, ("sampling", "judging")),
    (WORK_SECONDS, ("sampling", "judging")),
    (ADAPTER_LOADS, ("ok", *get_args(AdapterFault))),
    (RESTARTS, get_args(RestartCause)),
    (BRACKETS, get_args(LogOutcome)),
):
    for _value in _values:
        _counter.labels(_value)


def observe_judgment(judgment: PrincipleVerdict, comparison: Comparison) -> None:
    """Counts one judgment over both orders in the metrics of the judge's health."""
    JUDGMENTS.inc()
    LABEL_MASS.observe(judgment.label_mass)
    CONFIDENCE.observe(0.5 + abs(judgment.margin))
    if not judgment.consistent:
        INCONSISTENT.inc()
    # In characters; one more each, because a response may be empty.
    ratio = math.log2((len(comparison.first) + 1) / (len(comparison.second) + 1))
    LENGTH_SPREAD.inc(ratio**2)
    pull = ratio * judgment.margin
    LENGTH_PULL.labels("longer" if pull > 0 else "shorter").inc(abs(pull))


def observe_score(score: float, label_mass: float) -> None:
    """Counts one read of a score in the metrics of the judge's health."""
    SCORES.observe(score)
    LABEL_MASS.observe(label_mass)


def observe_judge_tokens(prompt_tokens: int, cached_tokens: int) -> None:
    """Counts what the judge has read."""
    JUDGE_TOKENS.labels("cached").inc(cached_tokens)
    JUDGE_TOKENS.labels("computed").inc(prompt_tokens - cached_tokens)


class Candidates:
    """The candidates of one tournament under way, each counted once; as cancelled where it ends with its block.

    Args:
        count: how many there are to be.
    """

    def __init__(self, count: int) -> None:
        self._open = count
        self._started = time.monotonic()

    def ended(self, outcome: str) -> None:
        """One is there (ok), or never will be (failed)."""
        CANDIDATES.labels(outcome).inc()
        self._open -= 1
        if not self._open:
            SAMPLING_SECONDS.observe(time.monotonic() - self._started)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        CANDIDATES.labels("cancelled").inc(self._open)


@contextmanager
def working(work: str) -> Iterator[None]:
    """Adds the block's time to the seconds of a kind of work, however it ends."""
    started = time.monotonic()
    try:
        yield
    finally:
        WORK_SECONDS.labels(work).inc(time.monotonic() - started)


def show_active(policy: str, former: str | None, active: str | None) -> None:
    """Shows `active` in place of the version before."""
    if former is not None:
        ADAPTER_INFO.remove(policy, former)
    if active is not None:
        ADAPTER_INFO.labels(policy, active).set(1)


def expect_requests(route: str) -> None:
    """Creates a route's series."""
    for outcome in ("ok", "client_error", "server_error", "cancelled"):
        REQUESTS.labels(route, outcome)


class Counting:
    """How a request that is under way will be counted, unless an exception ends it."""

    outcome = "ok"


@contextmanager
def count_request(route: str) -> Iterator[Counting]:
    """Counts one request when the block ends: by the exception that ends it, else by the outcome set meanwhile."""
    counting = Counting()
    try:
        yield counting
    except (asyncio.CancelledError, GeneratorExit):
        counting.outcome = "cancelled"
        raise
    except Exception as error:
        counting.outcome = outcome_of(_status_of(error))
        raise
    finally:
        REQUESTS.labels(route, counting.outcome).inc()
        note(outcome=counting.outcome)


def outcome_of(status: int) -> str:
    """The outcome that an HTTP status stands for."""
    if status == CLIENT_CLOSED_REQUEST:
        return "cancelled"
    if status < HTTPStatus.BAD_REQUEST:
        return "ok"
    return "client_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"


def _status_of(error: Exception) -> int:
    """The status that our handlers and vLLM's answer an exception with."""
    if isinstance(error, ApiError):
        return error.status
    return error.status_code if isinstance(error, HTTPException) else create_error_response(error).error.code
