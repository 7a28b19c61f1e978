"""What a contender is, and the two that ask a server: by one request for each tournament, and by many.

The server is asked with `best_of_n`, for a tournament or for the best by score. The client holds the tournament itself
over the same server's plain HTTP API: one chat request with `n`, then a completion request for every judgment: the
judge prompts of both orders as token ids, one token for each, and the log-probabilities of the choice tokens. A round's
matches are judged at once. The plain client asks for every match of the bracket; the thrifty one leaves out what the
server leaves out too.
"""

import asyncio
import time
from typing import Any, NamedTuple, Protocol

from loadtests.benchmark.bracket import Pair, play
from loadtests.server import Connection
from loadtests.workload import Job, Sampling
from selfjudge import Comparison, JudgmentEncoder, PrincipleVerdict, Reading, Verdict


class Outcome(NamedTuple):
    """One tournament as its caller sees it. Judge tokens are prompt tokens, the cached among them."""

    seconds: float
    winner: int
    sampled_tokens: int
    judgments: int
    judge_tokens: int
    cached_tokens: int


class Contender(Protocol):
    """One way to hold a tournament."""

    name: str

    async def hold(self, job: Job, best_of_n: int) -> Outcome:
        """Sample `best_of_n` candidates and find the best."""
        ...

    async def forget(self) -> None:
        """Empty the prefix cache, so that no contender profits from the one before it."""
        ...


class ServerTournament:
    """One request for each tournament, or for each choice by score."""

    def __init__(self, connection: Connection, sampling: Sampling, *, by_score: bool = False) -> None:
        self.name = "server by score" if by_score else "server"
        self._method = "score" if by_score else "tournament"
        self._connection = connection
        self._sampling = sampling
        self.forget = connection.forget

    async def hold(self, job: Job, best_of_n: int) -> Outcome:
        """Has the server find the best."""
        started = time.perf_counter()
        body = {"messages": job.messages, "best_of_n": best_of_n, "seed": job.seed, "top_k": 0}
        if best_of_n > 1:
            body["self_rejection"] = {"seed": job.seed, "method": self._method}
        answer = await self._connection.post("/v1/chat/completions", body | self._sampling._asdict())
        seconds = time.perf_counter() - started
        # Plain answers, to best_of_n=1, have no such report.
        report = answer.get("self_rejection", {"ranking": [0], "usage": {}})
        usage = report["usage"]
        return Outcome(
            seconds=seconds,
            winner=report["ranking"][0],
            sampled_tokens=answer["usage"]["completion_tokens"],
            judgments=usage.get("matches", usage.get("judge_reads", 0)),
            judge_tokens=usage.get("judge_prompt_tokens", 0),
            cached_tokens=usage.get("judge_cached_tokens", 0),
        )


class ClientTournament:
    """Many requests for each tournament."""

    def __init__(
        self, connection: Connection, sampling: Sampling, encoder: JudgmentEncoder, *, thrifty: bool = False
    ) -> None:
        self.name = "thrifty client" if thrifty else "client"
        self._thrifty = thrifty
        self._connection = connection
        self._sampling = sampling
        self._encoder = encoder
        self.forget = connection.forget

    async def hold(self, job: Job, best_of_n: int) -> Outcome:
        """Holds one tournament."""
        started = time.perf_counter()
        sampled = await self._connection.post(
            "/v1/chat/completions",
            {"messages": job.messages, "n": best_of_n, "seed": job.seed, "top_k": 0, **self._sampling._asdict()},
        )
        choices = sorted(sampled["choices"], key=lambda choice: int(choice["index"]))
        judge = _Judge(self._connection, self._encoder, job)
        texts = [choice["message"]["content"] for choice in choices]
        winner = await play(texts, job.seed, judge.judge_round, thrifty=self._thrifty)
        return Outcome(
            seconds=time.perf_counter() - started,
            winner=winner,
            sampled_tokens=sampled["usage"]["completion_tokens"],
            judgments=len(judge.usages),
            judge_tokens=sum(usage["prompt_tokens"] for usage in judge.usages),
            cached_tokens=sum((usage["prompt_tokens_details"] or {}).get("cached_tokens", 0) for usage in judge.usages),
        )


class _Judge:
    """The judgments of one tournament, and what the server says they cost."""

    def __init__(self, connection: Connection, encoder: JudgmentEncoder, job: Job) -> None:
        self._connection = connection
        self._encoder = encoder
        self._job = job
        self.usages: list[dict[str, Any]] = []

    async def judge_round(self, pairs: list[Pair]) -> list[Verdict]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._judge(pair)) for pair in pairs]
        return [task.result() for task in tasks]

    async def _judge(self, pair: Pair) -> Verdict:
        prompts = self._encoder.encode_batch([Comparison(self._job.messages, *pair)])[0]
        answer = await self._connection.post(
            "/v1/completions",
            {
                "prompt": [prompts.first_at_a, prompts.first_at_b],
                "max_tokens": 1,
                "temperature": 0,
                "logprobs": 1,
                "logprob_token_ids": list(self._encoder.choice_tokens),
                "return_tokens_as_token_ids": True,
            },
        )
        self.usages.append(answer["usage"])
        at_a, at_b = sorted(answer["choices"], key=lambda choice: int(choice["index"]))
        return Verdict.of([PrincipleVerdict(None, self._reading(at_a), self._reading(at_b))])

    def _reading(self, choice: dict[str, Any]) -> Reading:
        top: dict[str, float] = choice["logprobs"]["top_logprobs"][0]
        a, b = self._encoder.choice_tokens
        return Reading(top[f"token_id:{a}"], top[f"token_id:{b}"])
