"""Win rates of outputs, and who answers questions."""

import json

import httpx2
import pytest
from selfjudge_training.evaluation.policies import Answer, answer_questions, server_policy
from selfjudge_training.evaluation.policy.policy_report import add_comparison, compare, policy_report
from selfjudge_training.evaluation.policy.questions import Outputs, Question
from selfjudge_training.evaluation.report import plain
from selfjudge_training.rollouts.base import PromptError, Sampling
from selfjudge_training.run.endpoint import EndpointError

from tests.training.evaluation.fakes import Counting, Preferring, endpoint

SAMPLING = Sampling(1.0, 0.9, 8)
QUESTIONS = [Question((name,), name.upper()) for name in "abcd"]


def test_the_win_rate_counts_ties_half() -> None:
    ours, theirs = Outputs("ours", ["long", "s", "same", "x"]), Outputs("theirs", ["s", "long", "same", "y"])
    judge = Preferring(len)
    judgments = compare(judge, QUESTIONS, ours.texts, theirs.texts)
    report = policy_report("ours", QUESTIONS, [Answer(text, finished=True) for text in ours.texts], {})
    add_comparison(report, QUESTIONS, ours, theirs, judgments)
    result = plain(report.results["comparison"])
    assert (result["generator"], result["baseline"]) == ("ours", "theirs")
    assert result["win_rate"]["mean"] == 0.5
    assert (result["wins"], result["ties"], result["losses"]) == (1, 2, 1)
    assert {name: one["mean"] for name, one in result["by_category"].items()} == {"A": 1, "B": 0, "C": 0.5, "D": 0.5}
    assert (result["length"]["mean"], result["baseline_length"]["mean"]) == (2.5, 2.5)
    assert result["label_mass"]["mean"] == pytest.approx((3 * 0.9 + 1) / 4)
    assert "It wins 50.0% (" in report.summary[-1]
    assert [table.title for table in report.tables] == ["Answers", "Win rate", "Win rate by category"]
    assert len(judge.asked) == 3  # equal outputs need no judge


def test_a_question_of_several_turns_is_a_dialogue() -> None:
    policy = Counting()
    questions = [Question(("a", "b")), Question(("c",))]
    answers = answer_questions(policy, questions, SAMPLING, seed=0)
    assert answers == [Answer("a 0\n\nUser: b\n\nAssistant: b 0", finished=False), Answer("c 0", finished=False)]
    assert policy.asked[-1] == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "a 0"},
        {"role": "user", "content": "b"},
    ]


def test_a_dialogue_that_outgrows_the_context_ends_there_and_is_counted() -> None:
    policy = Counting(context=20)
    questions = [Question(("a", "b" * 20, "c")), Question(("d" * 20,)), Question(("e", "f"))]
    long, hopeless, whole = answer_questions(policy, questions, SAMPLING, seed=0)
    assert long == Answer(f"a 0\n\nUser: {'b' * 20}\n\nAssistant: \n\nUser: c\n\nAssistant: ", False, fits=False)
    assert hopeless == Answer("", finished=False, fits=False)
    assert whole.fits
    assert [conversation[-1]["content"] for conversation in policy.asked] == ["a", "e", "f"]
    assert (
        "2 of them have a turn that is too long"
        in policy_report("p", questions, [long, hopeless, whole], {}).summary[1]
    )


def test_questions_of_which_none_has_room_are_an_error() -> None:
    with pytest.raises(PromptError, match=r"none of 2 questions and 8 new tokens .* lower decoding.max_new_tokens"):
        answer_questions(Counting(context=5), [Question(("a",)), Question(("b",))], SAMPLING, seed=0)


def test_a_turn_that_a_server_finds_too_long_ends_its_dialogue_only() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        said = "".join(turn["content"] for turn in json.loads(request.content)["messages"])
        if len(said) > 20:
            message = "This model's maximum context length is 20 tokens. However, your prompt contains more."
            return httpx2.Response(400, json={"error": {"message": message, "param": "input_tokens", "code": 400}})
        return httpx2.Response(200, json={"choices": [{"message": {"content": "so"}, "finish_reason": "stop"}]})

    questions = [Question(("a", "b" * 20, "c")), Question(("d" * 30,)), Question(("e", "f"))]
    long, hopeless, whole = answer_questions(server_policy(endpoint(answer), "tiny"), questions, SAMPLING, seed=0)
    assert long == Answer(f"so\n\nUser: {'b' * 20}\n\nAssistant: \n\nUser: c\n\nAssistant: ", False, fits=False)
    assert hopeless == Answer("", finished=False, fits=False)
    assert whole == Answer("so\n\nUser: f\n\nAssistant: so", finished=True)


def test_another_refusal_of_a_server_ends_the_evaluation() -> None:
    policy = server_policy(endpoint(lambda _: httpx2.Response(400, text="no such model")), "tiny")
    with pytest.raises(EndpointError, match="no such model"):
        answer_questions(policy, QUESTIONS, SAMPLING, seed=0)


def test_a_server_is_asked_for_samples() -> None:
    bodies = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        choices = [
            {"message": {"content": "one"}, "finish_reason": "stop"},
            {"message": {"content": None}, "finish_reason": "length"},
        ]
        return httpx2.Response(200, json={"choices": choices})

    policy = server_policy(endpoint(answer), "tiny")
    conversation = [{"role": "user", "content": "Hi"}]
    assert policy([conversation], 2, SAMPLING, 7) == [[Answer("one", finished=True), Answer("", finished=False)]]
    assert bodies == [
        {
            "model": "tiny",
            "messages": conversation,
            "n": 2,
            "temperature": 1.0,
            "top_p": 0.9,
            "max_tokens": 8,
            "seed": 7,
        }
    ]
    with pytest.raises(EndpointError, match="2 choices where 3 were asked"):
        policy([conversation], 3, SAMPLING, 7)
