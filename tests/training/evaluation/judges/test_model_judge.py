"""The shipped model as a judge, in this process."""

from collections.abc import Iterator

import pytest
from selfjudge_training.evaluation.evaluation_config import JudgeSource, PolicySource
from selfjudge_training.evaluation.sources import Sources, open_sources
from selfjudge_training.rollouts.base import Sampling

from selfjudge import Comparison
from selfjudge.shipped import TINY_MODEL

MODEL = TINY_MODEL
PROMPT = "Sort these letters: QDBA"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    with open_sources(tmp_path_factory.mktemp("evaluation")) as opened:
        yield opened


def source(template: str = "ultrafeedback") -> JudgeSource:
    return JudgeSource(kind="folder", at=str(MODEL), template=template)


def test_it_prefers_the_right_answer_in_any_order(sources: Sources) -> None:
    judge = sources.judge(source())
    right, wrong = judge([Comparison(PROMPT, "ABDQ", "QDBA"), Comparison(PROMPT, "QDBA", "ABDQ")])
    assert (right.winner, wrong.winner) == ("A", "B")
    assert right.probability_a == pytest.approx(1 - wrong.probability_a, abs=1e-5)
    assert right.consistent
    assert not right.cut


def test_what_does_not_fit_is_cut_and_said_to_be(sources: Sources) -> None:
    [judgment] = sources.judge(source())([Comparison(PROMPT, "ABDQ", "Q D B A " * 400)])
    assert judgment.cut
    assert judgment.winner == "A"


def test_under_a_principle_or_all_of_them(sources: Sources) -> None:
    panel = sources.judge(source("ultrafeedback-principle"))
    comparison = Comparison(PROMPT, "ABDQ", "QDBA")
    alone = [
        panel([comparison], principle)[0].probability_a
        for principle in ("helpfulness", "honesty", "instruction following", "truthfulness")
    ]
    [together] = panel([comparison])
    assert together.probability_a == pytest.approx(sum(alone) / 4, abs=1e-5)
    with pytest.raises(ValueError, match="'charm', but the template knows helpfulness, honesty"):
        panel([comparison], "charm")


def test_a_template_without_principles_judges_pairs_of_any(sources: Sources) -> None:
    panel = sources.judge(source())
    comparison = Comparison(PROMPT, "ABDQ", "QDBA")
    assert panel([comparison], "honesty") == panel([comparison])


def test_a_policy_and_its_judge_are_one_copy_of_the_weights(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    own = PolicySource(kind="folder", at=str(MODEL))
    policy = sources.policy(own)
    monkeypatch.setattr(
        "selfjudge_training.evaluation.sources.AutoModelForCausalLM.from_pretrained",
        lambda *_, **__: pytest.fail("the model is loaded a second time"),
    )
    [[answer]] = policy([[{"role": "user", "content": "Reverse 123"}]], 1, Sampling(0.0, 1.0, 24), 0)
    assert answer.finished
    [judgment] = sources.own_judge(own, "ultrafeedback")([Comparison(PROMPT, "ABDQ", "QDBA")])
    assert judgment.winner == "A"


def test_a_model_folder_knows_what_its_context_has_no_room_for(sources: Sources) -> None:
    policy, greedy = sources.policy(PolicySource(kind="folder", at=str(MODEL))), Sampling(0.0, 1.0, 8)
    short, long = [{"role": "user", "content": PROMPT}], [{"role": "user", "content": "QDBA " * 2000}]
    for conversations, sampling, fits in (
        ([long, short], greedy, [False, True]),
        ([short], greedy._replace(max_new_tokens=2000), [False]),
    ):
        drawn = policy(conversations, 2, sampling, 0)
        assert [[answer.fits for answer in answers] for answers in drawn] == [[one, one] for one in fits]
