"""The gate that a version passes before it becomes active: how well it judges, and a bracket against the active one.

It runs beside the requests, a few judgments and samples at a time, through the server's own judge and sampler. The
candidate's weights judge the held-out pairs, which measures how well they judge. The active version's weights judge the
bracket, or the base's where so configured: the candidate's would prefer their own answers. The consequences of a result
are in changes.py. There is one match for each prompt and no tournament, because that tells most for the samples that it
costs.
"""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from vllm.lora.request import LoRARequest

from selfjudge import Comparison, Message, SelfJudgeError, Winner
from selfjudge_service.adapters.criteria import Criteria, GateError
from selfjudge_service.best_of_n.judging.judge import Judge, Panel
from selfjudge_service.best_of_n.sampler import Sampler
from selfjudge_service.observability import metrics
from selfjudge_service.observability.request_context import engine_id
from selfjudge_service.protocol.errors import ApiError
from selfjudge_service.protocol.requests import ChatRequest, JudgingOptions
from selfjudge_service.tasks import run_together

# No policy's name begins with a dot.
FOLDER: Final = ".gate-results"
_AT_ONCE = 4
_POINTS = {"A": 1.0, "tie": 0.5, "B": 0.0}
_LOG = logging.getLogger(__name__)


class GateResult(BaseModel):
    """How a version did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    held: AwareDatetime
    passed: bool
    missed: list[str]
    """What it did not reach, with figure and threshold; empty if it passed."""
    wanted: dict[str, float]
    """Thresholds, by the names of the figures below."""
    pairs: int = 0
    """Held-out pairs that it judged."""
    accuracy: float | None = None
    """Share of the pairs whose chosen response it prefers over both orders, a tie counting half."""
    consistency: float | None = None
    """Share of the pairs in which both orders have the same winner."""
    against: str | None = None
    """The version that was active, and that it met in the bracket; None where no bracket was held."""
    judge: Literal["policy", "reference"] | None = None
    """Whose weights judged the bracket: those of the version that was active, or the base."""
    prompts: int = 0
    """Matches of the bracket, one for each prompt."""
    win_share: float | None = None
    """Share of the matches that it won, a tie counting half."""


class _Judging(NamedTuple):
    accuracy: float
    consistency: float


class Gate:
    """Measures versions against criteria.

    Args:
        criteria: thresholds, pairs and prompts.
        judge: the server's; its default template is what versions judge by.
        sampler: the server's.
    """

    def __init__(self, criteria: Criteria, judge: Judge, sampler: Sampler) -> None:
        self._criteria = criteria
        self._judge = judge
        self._sampler = sampler
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def check(self) -> None:
        """Finds what is wrong with pairs and prompts for this model, before any version meets them.

        Raises:
            GateError: naming setting and line: a conversation that can't be judged, a prompt beyond the context.
        """
        encoder = self._judge.panel(JudgingOptions(), None).encoders[0]
        for number, pair in enumerate(self._criteria.pairs, start=1):
            try:
                encoder.check(pair.conversation)
            except SelfJudgeError as error:
                raise GateError(f"gate_pairs: line {number} can't be judged: {error}") from error
        for number, prompt in enumerate(self._criteria.prompts):
            try:
                encoder.check(prompt)
                await self._sampler.check(self._request(number, prompt, None))
            except (SelfJudgeError, ApiError) as error:
                raise GateError(f"gate_prompts: line {number + 1} can't be answered or judged: {error}") from error

    async def hold(self, candidate: LoRARequest, active: LoRARequest | None) -> GateResult:
        """Measures a version; the bracket is held if it judges well enough and another version is active.

        Args:
            candidate: loaded, and named in vLLM's registry of models.
            active: likewise; None where nothing answers for the policy.

        Raises:
            ApiError, EngineDeadError: if the engine could not do its part; nothing is known of the version then.
        """
        wanted = self._criteria
        result = GateResult(held=datetime.now(UTC), passed=False, missed=[], wanted=wanted.wanted)
        try:
            if wanted.pairs:
                judging = await self._judging(candidate)
                found: dict[str, Any] = {"pairs": len(wanted.pairs), **judging._asdict()}
                result = result.model_copy(update=found | {"missed": self._missed(judging)})
            if wanted.prompts and active and not result.missed:
                share = await self._win_share(candidate, active)
                found = {"against": active.lora_name, "judge": wanted.judge, "prompts": len(wanted.prompts)}
                result = result.model_copy(update=found | {"win_share": share, "missed": self._missed_share(share)})
        except SelfJudgeError as error:
            result = result.model_copy(update={"missed": [f"a judgment failed: {error}"]})
        return result.model_copy(update={"passed": not result.missed})

    async def _judging(self, candidate: LoRARequest) -> _Judging:
        panel = self._judge.panel(JudgingOptions(), candidate)

        async def judge(pair: Comparison) -> tuple[Winner, bool]:
            async with self._room:
                return await self._compare(panel, pair)

        judged = await run_together(judge(pair) for pair in self._criteria.pairs)
        return _Judging(
            sum(_POINTS[winner] for winner, _ in judged) / len(judged),
            sum(consistent for _, consistent in judged) / len(judged),
        )

    async def _win_share(self, candidate: LoRARequest, active: LoRARequest) -> float:
        panel = self._judge.panel(JudgingOptions(judge=self._criteria.judge), active)

        async def match(number: int, prompt: list[Message]) -> float:
            async with self._room:
                first, second = await run_together(
                    self._sample(self._request(number, prompt, one.lora_name)) for one in (candidate, active)
                )
                if first == second:
                    return _POINTS["tie"]
                return _POINTS[(await self._compare(panel, Comparison(prompt, first, second)))[0]]

        points = await run_together(match(number, prompt) for number, prompt in enumerate(self._criteria.prompts))
        return sum(points) / len(points)

    async def _compare(self, panel: Panel, pair: Comparison) -> tuple[Winner, bool]:
        # The metrics of the judge's health are about judgments that serve a request.
        verdict = (await self._judge.compare(panel, pair, counted=False)).verdict
        return verdict.winner, verdict.consistent

    async def _sample(self, request: ChatRequest) -> str:
        return (await self._sampler.sample(request, 0, f"gate-{engine_id()}")).text

    def _request(self, number: int, prompt: list[Message], model: str | None) -> ChatRequest:
        """As a user's with no options; both sides have one seed, so that repeating the gate repeats its answers."""
        return ChatRequest.model_validate(
            {"model": model, "messages": prompt, "seed": number, "max_completion_tokens": self._criteria.max_tokens}
        )

    def _missed(self, found: _Judging) -> list[str]:
        pairs = len(self._criteria.pairs)
        return [
            f"{name} is {figure:.4f} on {pairs} pairs, and gate_{name} is {least:g}"
            for name, figure in found._asdict().items()
            if (least := self._criteria.wanted.get(name)) is not None and figure < least
        ]

    def _missed_share(self, share: float) -> list[str]:
        if share > self._criteria.win_share:
            return []
        matches = f"{len(self._criteria.prompts)} matches against the active version"
        return [f"win_share is {share:.4f} of {matches}, and must exceed gate_win_share, {self._criteria.win_share:g}"]


class GateResults:
    """The results of all versions in a store: the last one of each.

    Args:
        root: the store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def read(self, policy: str, version: str) -> GateResult | None:
        """A version's last result, if it has one."""
        try:
            return GateResult.model_validate_json(self._path(policy, version).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            _LOG.warning("how %s@%s did at the gate can't be read: %s", policy, version, error)
            return None

    def write(self, policy: str, version: str, result: GateResult) -> None:
        """Stores a version's result; a store that can't be written is only logged."""
        path = self._path(policy, version)
        temporary = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(result.model_dump_json(indent=1), encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            _LOG.warning("how %s@%s did at the gate can't be written: %s", policy, version, error)

    def forget(self, policy: str, version: str) -> None:
        """Deletes a version's result."""
        self._path(policy, version).unlink(missing_ok=True)

    def _path(self, policy: str, version: str) -> Path:
        return self._folder / policy / f"{version}.json"


def tell_result(name: object, result: GateResult) -> None:
    """Logs a result, and counts a refusal."""
    found = {figure: getattr(result, figure) for figure in result.wanted}
    figures = ", ".join(f"{figure} {value:.4f}" for figure, value in found.items() if value is not None)
    if result.passed:
        _LOG.info("%s passed the gate: %s", name, figures or "there is no active version to meet")
    else:
        metrics.ADAPTER_LOADS.labels("gate").inc()
        _LOG.warning("%s is refused: gate: %s", name, "; ".join(result.missed))
