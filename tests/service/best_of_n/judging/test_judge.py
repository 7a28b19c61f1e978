"""Judging over a reader with a hidden order of quality."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from selfjudge_service.best_of_n.judging.judge import Judge, Panel
from selfjudge_service.protocol.errors import ApiError
from selfjudge_service.protocol.requests import JudgingOptions
from selfjudge_service.settings import Settings
from selfjudge_service.tasks import run_together
from vllm.lora.request import LoRARequest

from selfjudge import DIALOGUE_TEMPLATE, Comparison, ConversationError, SafeTokenizer, TemplateError
from tests.service.conftest import Counter
from tests.service.fakes import ADAPTER, CONTEXT_TOKENS, QualityReader, compared, decode, make_world, tokenizer

PRINCIPLES = ("helpfulness", "honesty", "instruction following", "truthfulness")


@pytest.fixture
def reader() -> QualityReader:
    return QualityReader()


@pytest.fixture
def judge(reader: QualityReader) -> Judge:
    return make_world(reader=reader).state.judge


def options(**given: Any) -> JudgingOptions:  # noqa: ANN401  fields of the options
    return JudgingOptions.model_validate(given)


def panel(
    judge: Judge,
    lora: LoRARequest | None = None,
    /,
    *,
    rationale: bool = False,
    **given: Any,  # noqa: ANN401  fields of the options
) -> Panel:
    return judge.panel(options(**given), lora, rationale=rationale)


@pytest.mark.parametrize(("characters", "aside"), [(100, False), (20_000, True)])
async def test_long_texts_are_encoded_aside_and_contexts_once(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, characters: int, aside: bool
) -> None:
    encode, threads, contexts = SafeTokenizer.encode_batch, set[threading.Thread](), 0
    turn = {"role": "user", "content": "What is it? " * (characters // 12)}

    def watched(self: SafeTokenizer, texts: list[str]) -> list[list[int]]:
        nonlocal contexts
        threads.add(threading.current_thread())
        contexts += sum(turn["content"] in text for text in texts)
        return encode(self, texts)

    chosen = panel(judge)
    monkeypatch.setattr(SafeTokenizer, "encode_batch", watched)
    pairs = (("answer 7", "answer 3"), ("answer 9", "answer 7"), ("answer 9", "answer 1"))
    judged = await run_together(judge.compare(chosen, Comparison([turn], *pair)) for pair in pairs)
    judged.append(await judge.compare(chosen, Comparison([dict(turn)], "answer 5", "answer 4")))
    assert [one.verdict.winner for one in judged] == ["A"] * 4
    assert (threading.main_thread() not in threads) == aside
    assert contexts == 1


async def test_who_is_cancelled_takes_the_context_from_nobody(judge: Judge) -> None:
    chosen = panel(judge)
    texts = Comparison("What is it? " * 2_000, "answer 7", "answer 3")
    first, second = (asyncio.create_task(judge.compare(chosen, texts)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).verdict.winner == "A"


async def test_contexts_of_different_conversations_are_kept_apart(judge: Judge, reader: QualityReader) -> None:
    chosen = panel(judge)
    contexts = [f"Question {number}?" for number in range(3)]
    await run_together(judge.compare(chosen, Comparison(context, "7", "3")) for context in contexts)
    shown = [decode(prompt.token_ids) for prompt in reader.prompts]
    assert [[context in text for context in contexts].index(True) for text in shown] == [0, 0, 1, 1, 2, 2]


async def test_the_better_response_wins_at_either_place(judge: Judge) -> None:
    first = await judge.compare(panel(judge), compared("answer 7", "answer 3"))
    second = await judge.compare(panel(judge), compared("answer 3", "answer 7"))
    assert (first.verdict.winner, second.verdict.winner) == ("A", "B")
    assert first.verdict.probability_a == pytest.approx(0.9)
    assert second.verdict.probability_a == pytest.approx(0.1)
    assert first.verdict.consistent
    assert first.verdict.label_mass == pytest.approx(0.8)


async def test_position_bias_cancels_out_and_shows() -> None:
    judge = make_world(reader=QualityReader(favours_a=True)).state.judge
    judged = await judge.compare(panel(judge), compared("answer 7", "answer 3"))
    assert (judged.verdict.winner, judged.verdict.consistent) == ("tie", False)
    assert tuple(judged.verdict.orders) == pytest.approx((0.9, 0.1))


async def test_each_principle_is_read_in_both_orders_in_one_batch(judge: Judge, reader: QualityReader) -> None:
    judged = await judge.compare(panel(judge, principles=["honesty", "helpfulness"]), compared("1", "2"))
    assert [one.principle for one in judged.verdict.principles] == ["honesty", "helpfulness"]
    assert (len(reader.prompts), len(reader.adapters)) == (4, 1)
    texts = [decode(prompt.token_ids) for prompt in reader.prompts]
    assert ["'honesty'" in text for text in texts] == [True, True, False, False]
    assert judged.prompt_tokens == sum(len(prompt.token_ids) for prompt in reader.prompts)
    assert judged.cached_tokens == sum(len(prompt.token_ids) // 2 for prompt in reader.prompts)


async def test_the_choice_tokens_are_the_tokenizers_letters(judge: Judge, reader: QualityReader) -> None:
    await judge.compare(panel(judge), compared("1", "2"))
    read = reader.prompts[0]
    assert decode([read.token_a]).strip() == "A"
    assert decode([read.token_b]).strip() == "B"


@pytest.mark.parametrize(("judge_model", "expected"), [("policy", ADAPTER), ("reference", None)])
async def test_policy_judges_with_its_adapter_and_the_reference_without(
    judge: Judge, reader: QualityReader, judge_model: str, expected: LoRARequest | None
) -> None:
    await judge.compare(panel(judge, ADAPTER, judge=judge_model), compared("1", "2"))
    assert reader.adapters == [expected]


def test_defaults_depend_on_what_is_asked_for(judge: Judge) -> None:
    assert panel(judge)[:2] == ("ultrafeedback", ())
    assert panel(judge, principles=["honesty"])[:2] == ("ultrafeedback-principle", ("honesty",))
    assert panel(judge, rationale=True)[:2] == ("ultrafeedback-principle-rationale", PRINCIPLES)


def test_a_template_that_has_principles_is_used_under_all_of_them(judge: Judge) -> None:
    assert panel(judge, template="ultrafeedback-principle").principles == PRINCIPLES


def test_a_principle_named_twice_counts_once(judge: Judge) -> None:
    assert panel(judge, principles=["honesty", "honesty"]).principles == ("honesty",)


@pytest.mark.parametrize(
    ("given", "rationale", "field", "accepted"),
    [
        ({"template": "nope"}, False, "template", "hh-helpful, ultrafeedback, ultrafeedback-principle"),
        ({"principles": ["honesty", "nope"]}, False, "principles", "helpfulness, honesty"),
        ({"template": "ultrafeedback", "principles": ["honesty"]}, False, "principles", "no principles"),
        ({"template": "ultrafeedback"}, True, "rationale", "ultrafeedback-principle-rationale"),
    ],
)
def test_what_is_unknown_is_refused_with_what_is_known(
    judge: Judge, given: dict[str, Any], rationale: bool, field: str, accepted: str
) -> None:
    with pytest.raises(ApiError, match=f"^{field}: ") as caught:
        panel(judge, rationale=rationale, **given)
    assert caught.value.param == field
    assert accepted in caught.value.message


async def test_over_long_texts_are_cut_and_it_is_said(reader: QualityReader) -> None:
    judge = make_world(reader=reader, context=900).state.judge
    judged = await judge.compare(panel(judge), compared("7 " * 2000, "answer 3"))
    assert judged.cut is not None
    assert judged.cut.first.kept < judged.cut.first.total
    assert max(len(prompt.token_ids) for prompt in reader.prompts) <= 899


async def test_a_conversation_without_a_turn_can_not_be_judged(judge: Judge) -> None:
    with pytest.raises(ConversationError):
        await judge.compare(panel(judge), compared("1", "2")._replace(conversation=[]))


async def test_a_rationale_follows_the_choice_it_explains(judge: Judge, reader: QualityReader) -> None:
    chosen = panel(judge, rationale=True, principles=["honesty"])
    for texts, letter in ((("3", "7"), "B"), (("7", "3"), "A")):
        judged = await judge.compare(chosen, compared(*texts))
        rationale = await judge.rationale(chosen, compared(*texts), judged.verdict.principles[0])
        assert rationale == ("it is better.", 5)
        assert f"Decision: Response {letter}\n\nEvaluation of Response A:" in reader.continued[-1]


async def test_a_rationale_of_long_texts_is_encoded_aside(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = panel(judge, rationale=True, principles=["honesty"])
    judged = await judge.compare(chosen, compared("3", "7"))
    encode, threads = SafeTokenizer.encode_batch, set[threading.Thread]()

    def watched(self: SafeTokenizer, texts: list[str]) -> list[list[int]]:
        threads.add(threading.current_thread())
        return encode(self, texts)

    monkeypatch.setattr(SafeTokenizer, "encode_batch", watched)
    await judge.rationale(chosen, compared("3 " * 10_000, "7"), judged.verdict.principles[0])
    assert threads
    assert threading.main_thread() not in threads


async def test_a_rationale_has_room_behind_its_prompt(reader: QualityReader) -> None:
    judge = make_world(reader=reader, context=1500, rationale_max_tokens=200).state.judge
    chosen = panel(judge, rationale=True, principles=["honesty"])
    texts = compared("7 " * 3000, "3 " * 3000)
    judged = await judge.compare(chosen, texts)
    await judge.rationale(chosen, texts, judged.verdict.principles[0])
    assert len(tokenizer().encode(reader.continued[-1])) <= 1500 - 200


def test_a_context_too_short_for_a_template_refuses_it_before_anything_is_read(reader: QualityReader) -> None:
    # Long enough for the default template, not for a principle and a rationale.
    judge = make_world(reader=reader, context=640).state.judge
    with pytest.raises(ApiError, match=r"^template: .*use a shorter template or a longer context"):
        panel(judge, rationale=True)


def test_a_default_template_that_does_not_exist_stops_the_start() -> None:
    with pytest.raises(TemplateError, match="'nope'; known are hh-helpful"):
        Judge(tokenizer(), QualityReader(), Settings(template="nope"), CONTEXT_TOKENS)


def test_an_operators_own_template_can_be_asked_for(tmp_path: Path) -> None:
    source = (
        "name: mine\nsource: here\ncontext: dialogue\nsystem: Judge.\n"
        'user: "{context}\\nResponse A: {response_a}\\nResponse B: {response_b}"\n'
        'answer_prefix: "Response "\n'
    )
    (tmp_path / "mine.yaml").write_text(source)
    judge = make_world(templates_dir=tmp_path).state.judge
    assert panel(judge, template="mine").template == "mine"


QWEN_3_5 = DIALOGUE_TEMPLATE + (
    "{%- if add_generation_prompt -%}{{- style + '' -}}{%- if enable_thinking is false -%}{{- '<think></think>' -}}"
    "{%- else -%}{{- '<think>' -}}{%- endif -%}{%- endif -%}"
)
"""Reasons before it answers, unless told not to."""


async def asked(judge: Judge, reader: QualityReader, **kwargs: Any) -> str:  # noqa: ANN401  any JSON
    """What stands between the question and the judge's answer."""
    await judge.compare(judge.panel(options(), None, chat_template_kwargs=kwargs), compared("1", "2"))
    return decode(reader.prompts[-1].token_ids).split("<|assistant|>\n")[1].split("Sure!")[0]


async def test_the_judge_answers_behind_reasoning_and_minds_the_servers_and_the_requests_options(
    reader: QualityReader, caplog: pytest.LogCaptureFixture
) -> None:
    judge = Judge(tokenizer(), reader, Settings(), CONTEXT_TOKENS, QWEN_3_5, {"style": "[calm]"})
    assert caplog.messages == []
    assert await asked(judge, reader) == "[calm]<think></think>"
    assert await asked(judge, reader, enable_thinking=True, unheard=["x"]) == "[calm]<think></think>"
    assert await asked(judge, reader, style="[terse]") == "[terse]<think></think>"
    assert await asked(judge, reader) == "[calm]<think></think>"
    with pytest.raises(ApiError, match=r"^chat_template_kwargs: .* refuses: ") as caught:
        judge.panel(options(), None, chat_template_kwargs={"style": 7})
    assert caught.value.param == "chat_template_kwargs"


def test_reasoning_that_no_option_closes_is_told_at_start(
    reader: QualityReader, caplog: pytest.LogCaptureFixture
) -> None:
    template = DIALOGUE_TEMPLATE + "{%- if add_generation_prompt -%}{{- '<think>\n' -}}{%- endif -%}"
    Judge(tokenizer(), reader, Settings(), CONTEXT_TOKENS, template)
    [warning] = caplog.messages
    assert "leaves <think> open" in warning
    assert "--default-chat-template-kwargs" in warning


async def test_judging_is_counted(judge: Judge, counted: Counter) -> None:
    judged = await judge.compare(panel(judge, principles=["honesty", "helpfulness"]), compared("1", "2"))
    assert counted("selfjudge_judgments_total") == 2
    assert counted("selfjudge_match_seconds_count") == 1
    assert counted("selfjudge_label_mass_sum") == pytest.approx(1.6)
    assert counted("selfjudge_judge_tokens_total", source="cached") == judged.cached_tokens
    assert counted("selfjudge_judge_tokens_total") == judged.prompt_tokens
    assert counted("selfjudge_inconsistent_judgments_total") == 0


async def test_inconsistent_judgments_are_counted(counted: Counter) -> None:
    judge = make_world(reader=QualityReader(favours_a=True)).state.judge
    await judge.compare(panel(judge), compared("1", "2"))
    assert counted("selfjudge_inconsistent_judgments_total") == 1
