"""How a version does at the gate, over a judge and a sampler of known qualities, and what follows from it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from selfjudge_service.adapters.criteria import Criteria, GateError
from selfjudge_service.adapters.gate import Gate, GateResults
from selfjudge_service.adapters.registry import Key
from selfjudge_service.adapters.replicas import Replicas
from selfjudge_service.adapters.start import Adapting
from selfjudge_service.api.adapter_routes import report
from selfjudge_service.best_of_n.judging.judge import Judge
from selfjudge_service.best_of_n.sampler import SampleError, Sampler
from selfjudge_service.best_of_n.seeds import candidate_seed
from selfjudge_service.protocol.errors import ConflictError, RefusedVersionError
from selfjudge_service.settings import Settings
from typing_extensions import override
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest, ChatCompletionResponse
from vllm.entrypoints.serve import create_error_response
from vllm.lora.request import LoRARequest
from vllm.v1.engine.exceptions import EngineDeadError

from selfjudge import Comparison, Message, ReadingError
from selfjudge.adapters.store import Store
from tests.service.adapters.fakes import make_replica
from tests.service.adapters.files import publish
from tests.service.conftest import Counter
from tests.service.fakes import CONTEXT_TOKENS, QualityReader, ScriptedChat, completion, tokenizer

ASKED: list[Message] = [{"role": "user", "content": "Say a number."}]
NEW, OLD = LoRARequest("chat@new", 1, "new"), LoRARequest("chat@old", 2, "old")


def criteria(
    *pairs: tuple[str, str], accuracy: float | None = None, consistency: float | None = None, prompts: int = 0
) -> Criteria:
    return Criteria(
        tuple(Comparison(ASKED, *pair) for pair in pairs),
        accuracy,
        consistency,
        (ASKED,) * prompts,
        win_share=0.5,
        judge="policy",
        max_tokens=16,
    )


@dataclass
class Numbers(ScriptedChat):
    """vLLM's chat handler, whose answers depend on the version: texts of known quality, one after the other."""

    answers: dict[str, Sequence[str]] = field(default_factory=dict)

    @override
    async def answer(self, request: ChatCompletionRequest) -> ChatCompletionResponse:
        answers = self.answers[request.model or ""]
        number = sum(one.model == request.model for one in self.requests)
        self.requests.append(request)
        if self.before:
            await self.before(number)
        return completion(answers[number % len(answers)])


def make_gate(wanted: Criteria, reader: QualityReader | None = None, chat: ScriptedChat | None = None) -> Gate:
    judge = Judge(tokenizer(), reader or QualityReader(), Settings(), CONTEXT_TOKENS)
    return Gate(wanted, judge, Sampler(chat or Numbers()))


async def test_right_judgments_are_counted_and_by_the_candidate() -> None:
    reader = QualityReader()
    wanted = criteria(("2", "1"), ("5", "3"), ("9", "7"), ("1", "4"), accuracy=0.75, consistency=1)
    result = await make_gate(wanted, reader).hold(NEW, OLD)
    assert (result.passed, result.pairs, result.accuracy, result.consistency) == (True, 4, 0.75, 1)
    assert result.wanted == {"accuracy": 0.75, "consistency": 1}
    assert set(reader.adapters) == {NEW}


async def test_a_judge_of_position_bias_is_inconsistent_and_its_ties_count_half() -> None:
    wanted = criteria(("2", "1"), ("5", "3"), accuracy=0.6, consistency=0.9, prompts=1)
    chat = Numbers()
    result = await make_gate(wanted, QualityReader(favours_a=True), chat).hold(NEW, OLD)
    assert (result.passed, result.accuracy, result.consistency) == (False, 0.5, 0)
    assert result.missed == [
        "accuracy is 0.5000 on 2 pairs, and gate_accuracy is 0.6",
        "consistency is 0.0000 on 2 pairs, and gate_consistency is 0.9",
    ]
    assert (result.win_share, chat.requests) == (None, [])


@pytest.mark.parametrize(
    ("new", "share"),
    [(["9"], 1.0), (["1"], 0.0), (["5"], 0.5), (["9", "9", "9", "1"], 0.75), (["9", "1"], 0.5)],
)
async def test_a_bracket_must_be_won(new: list[str], share: float) -> None:
    chat = Numbers(answers={"chat@new": new, "chat@old": ["5"]})
    result = await make_gate(criteria(prompts=4), chat=chat).hold(NEW, OLD)
    assert (result.win_share, result.passed, result.against, result.prompts) == (share, share > 0.5, "chat@old", 4)
    if not result.passed:
        (missed,) = result.missed
        assert missed.startswith(f"win_share is {share:.4f} of 4 matches")


async def test_both_sides_get_the_same_seed_and_limit() -> None:
    chat = Numbers(answers={"chat@new": ["9"], "chat@old": ["5"]})
    await make_gate(criteria(prompts=3), chat=chat).hold(NEW, OLD)
    drawn = sorted((request.seed, request.model, request.max_completion_tokens) for request in chat.requests)
    seeds = sorted(candidate_seed(number, 0) or 0 for number in range(3))
    assert drawn == [(seed, f"chat@{side}", 16) for seed in seeds for side in ("new", "old")]


@pytest.mark.parametrize(("judge", "by"), [("policy", OLD), ("reference", None)])
async def test_never_the_candidate_judges_the_bracket(judge: str, by: LoRARequest | None) -> None:
    reader, chat = QualityReader(), Numbers(answers={"chat@new": ["9"], "chat@old": ["5"]})
    wanted = criteria(prompts=2)._replace(judge="policy" if judge == "policy" else "reference")
    result = await make_gate(wanted, reader, chat).hold(NEW, OLD)
    assert (result.judge, set(reader.adapters)) == (judge, {by})
    assert reader.ways == {(None, 0)}, "users' requests don't wait for it"


async def test_without_an_active_version_there_is_nobody_to_meet() -> None:
    chat = Numbers()
    result = await make_gate(criteria(prompts=2), chat=chat).hold(NEW, None)
    assert (result.passed, result.against, result.win_share, chat.requests) == (True, None, None, [])


async def test_the_engine_sees_a_few_judgments_at_a_time() -> None:
    reading, most = 0, 0

    async def read() -> None:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await asyncio.sleep(0)
        reading -= 1

    await make_gate(criteria(*[("2", "1")] * 40, accuracy=1), QualityReader(before=read)).hold(NEW, None)
    assert most == 4


async def test_the_judges_health_is_that_of_judgments_for_users(counted: Counter) -> None:
    await make_gate(criteria(("2", "1"), accuracy=1)).hold(NEW, None)
    assert counted("selfjudge_judgments_total") == 0


async def test_a_judgment_that_fails_is_a_reason() -> None:
    async def fail() -> None:
        raise ReadingError("logprobs must be numbers of at most 0, not nan")

    result = await make_gate(criteria(("2", "1"), accuracy=0), QualityReader(before=fail)).hold(NEW, None)
    assert result.missed == ["a judgment failed: logprobs must be numbers of at most 0, not nan"]


async def test_what_cannot_be_judged_or_answered_is_told_at_start() -> None:
    system: list[Message] = [{"role": "system", "content": ""}]
    good, bad = Comparison(ASKED, "2", "1"), Comparison(system, "2", "1")
    with pytest.raises(GateError, match=r"^gate_pairs: line 2 can't be judged: the conversation has no turn"):
        await make_gate(criteria()._replace(pairs=(good, bad))).check()
    with pytest.raises(GateError, match=r"^gate_prompts: line 2 can't be answered or judged: "):
        await make_gate(criteria()._replace(prompts=(ASKED, system))).check()
    refusal = create_error_response("This model's maximum context length is 8 tokens.")
    with pytest.raises(GateError, match=r"^gate_prompts: line 1 can't be answered or judged: This model's maximum"):
        await make_gate(criteria(prompts=1), chat=Numbers(refusal=refusal)).check()
    await make_gate(criteria(("2", "1"), prompts=1)).check()


class At:
    """A replica whose versions meet each other on one prompt, by the numbers that they answer."""

    def __init__(self, store: Store) -> None:
        self.chat = Numbers()
        self.replica = make_replica(store, gate=make_gate(criteria(prompts=2), chat=self.chat))
        self.keys = [Key("chat", publish(store, "chat", seed).version) for seed in (1, 2, 3)]
        for number, key in enumerate(self.keys):
            self.answers(key, number)

    def answers(self, key: Key, number: int) -> None:
        self.chat.answers[str(key)] = [str(number)]

    def listed(self, store: Store) -> list[dict[str, Any]]:
        adapting = Adapting(store, self.replica.adapters, self.replica.changes, Replicas(store.root, "a replica"))
        versions: list[dict[str, Any]] = report(adapting)["data"][0]["versions"]
        return versions

    async def activate(self, key: Key) -> str | None:
        await self.replica.changes.activate(*key)
        return self.replica.active("chat")


@pytest.fixture
def at(store: Store) -> At:
    return At(store)


async def test_who_wins_becomes_active_and_who_does_not_is_refused(
    at: At, store: Store, counted: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third = at.keys
    assert await at.activate(first) == first.version
    assert await at.activate(second) == second.version
    at.answers(third, 0)
    said = f"{third} is refused: gate: win_share is 0.0000 of 2 matches against the active version, and must exceed"
    with pytest.raises(RefusedVersionError, match=said):
        await at.activate(third)
    await at.replica.adapters.unloaded(third)
    assert (at.replica.active("chat"), at.replica.engine.names) == (second.version, {str(first), str(second)})
    assert str(third) not in at.replica.names
    assert counted("selfjudge_adapter_loads_total", outcome="gate") == 1
    assert said in caplog.text
    listed = report(Adapting(store, at.replica.adapters, at.replica.changes, Replicas(store.root, "a replica")))[
        "data"
    ][0]["versions"]
    assert [(one["state"], one["gate"]["passed"], one["gate"]["win_share"]) for one in listed] == [
        ("previous", True, None),
        ("active", True, 1.0),
        ("stored", False, 0.0),
    ]


async def test_a_refused_version_is_held_against_it_again(at: At) -> None:
    first, second, _ = at.keys
    await at.activate(second)
    with pytest.raises(RefusedVersionError):
        await at.activate(first)
    at.answers(first, 9)
    assert await at.activate(first) == first.version


async def test_what_was_active_before_and_canaries_pass_freely(at: At) -> None:
    first, second, third = at.keys
    await at.activate(first)
    await at.activate(second)
    assert (await at.replica.changes.rollback("chat")).active == first.version
    await at.replica.changes.rollback("chat")
    assert await at.activate(first) == first.version
    at.answers(third, 0)
    asked = len(at.chat.requests)
    assert (await at.replica.changes.set_canary(*third, 0.5)).canaries == {third.version: 0.5}
    assert len(at.chat.requests) == asked
    with pytest.raises(RefusedVersionError):
        await at.activate(third)
    assert at.replica.adapters.is_loaded(third)
    assert at.replica.adapters.record("chat").canaries == {third.version: 0.5}


async def test_everything_goes_on_while_a_version_is_at_the_gate(at: At, store: Store) -> None:
    first, second, third = at.keys
    await at.activate(first)
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: int) -> None:
        asked.set()
        await go_on.wait()

    at.chat.before = wait
    gated = asyncio.create_task(at.activate(third))
    await asked.wait()
    assert at.replica.adapters.find("chat") == first
    listed = report(Adapting(store, at.replica.adapters, at.replica.changes, Replicas(store.root, "a replica")))[
        "data"
    ][0]["versions"]
    assert [one["state"] for one in listed] == ["active", "stored", "gate"]
    other = Key("code", publish(store, "code", 1).version)
    at.answers(other, 1)
    await at.replica.changes.activate(*other)
    await at.replica.changes.follow()
    await at.replica.changes.set_canary(*second, 0.1)
    go_on.set()
    assert await gated == third.version
    assert at.replica.adapters.record("chat").canaries == {second.version: 0.1}


async def test_who_met_a_version_that_is_not_active_any_more_is_told(at: At, store: Store) -> None:
    first, second, third = at.keys
    await at.activate(first)

    async def activate_elsewhere(_: int) -> None:
        at.chat.before = None
        await make_replica(store).changes.activate(*second)

    at.chat.before = activate_elsewhere
    with pytest.raises(ConflictError, match=f"{third} passed the gate, but {second} became active meanwhile"):
        await at.activate(third)
    await at.replica.adapters.unloaded(third)
    assert not at.replica.adapters.is_loaded(third)
    assert await at.activate(third) == third.version


async def test_watching_holds_the_gate_once(at: At, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    *_, newest = at.keys
    for _ in range(2):
        await at.replica.changes.watch()
    assert at.replica.active("chat") == newest.version
    bad = Key("chat", publish(store, "chat", 4).version)
    at.answers(bad, 0)
    for _ in range(3):
        await at.replica.changes.watch()
    assert at.replica.active("chat") == newest.version
    assert caplog.text.count(f"{bad} is refused: gate: ") == 1
    assert at.replica.adapters.record("chat").considered == bad.version


async def test_a_rollback_elsewhere_outlasts_a_gate_that_was_under_way(at: At, store: Store) -> None:
    first, _, newest = at.keys
    await at.activate(first)
    other = make_replica(store)

    async def decide_elsewhere(_: int) -> None:
        at.chat.before = None
        await other.changes.watch()
        await other.changes.rollback("chat")

    at.chat.before = decide_elsewhere
    await at.replica.changes.watch()
    await at.replica.changes.follow()
    assert at.replica.active("chat") == first.version
    assert at.replica.adapters.record("chat").considered == newest.version


async def test_replicas_follow_without_a_gate_of_their_own(at: At, store: Store) -> None:
    first, second, _ = at.keys
    await at.activate(second)
    await make_replica(store).changes.activate(*first)
    await at.replica.changes.follow()
    assert at.replica.active("chat") == first.version


async def test_an_engine_that_dies_says_nothing_of_the_version(at: At, store: Store) -> None:
    first, second, _ = at.keys
    await at.activate(first)

    async def die(_: int) -> None:
        raise EngineDeadError

    at.chat.before = die
    with pytest.raises(SampleError, match="EngineCore"):
        await at.activate(second)
    await at.replica.adapters.unloaded(second)
    assert (at.replica.active("chat"), GateResults(store.root).read(*second)) == (first.version, None)
    at.chat.before = None
    assert await at.activate(second) == second.version


async def test_a_result_goes_with_its_version(at: At, store: Store) -> None:
    first, second, _ = at.keys
    await at.activate(second)
    with pytest.raises(RefusedVersionError):
        await at.activate(first)
    results = GateResults(store.root)
    assert results.read(*first) is not None
    await at.replica.adapters.unloaded(first)
    await at.replica.changes.delete(*first)
    assert results.read(*first) is None


def test_a_result_that_cannot_be_read_or_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / ".gate-results" / "chat").mkdir(parents=True)
    (tmp_path / ".gate-results" / "chat" / "1.json").write_text("{")
    assert GateResults(tmp_path).read("chat", "1") is None
    assert "how chat@1 did at the gate can't be read" in caplog.text
