"""What a policy's answers are worth: length, repetition, exact match, and the win rate against a baseline by a judge.

Length stands beside the win rate because judges tend to like longer responses (section 5.3).
"""

from collections.abc import Sequence

from selfjudge import Comparison
from selfjudge_training.evaluation.judges.judgment import Judge, Judgment
from selfjudge_training.evaluation.policy.policies import Answer
from selfjudge_training.evaluation.policy.questions import Question, answer_key
from selfjudge_training.evaluation.statistics import Figures, bootstrap, rate

NGRAM = 4


def answer_figures(questions: Sequence[Question], answers: Sequence[Answer]) -> Figures:
    """What can be said of answers without a judge, `exact_match` where every right answer is known.

    A question stands there once for each answer to it.
    """
    prompts = [question.turns[0] for question in questions]
    figures = {
        "length": bootstrap([len(answer.text) for answer in answers], prompts),
        "repetition": bootstrap([repetition(answer.text) for answer in answers], prompts),
        "unfinished": rate([not answer.finished for answer in answers], prompts),
    }
    if right := right_answers(questions, answers):
        figures["exact_match"] = rate(right, prompts)
    return figures


def right_answers(questions: Sequence[Question], answers: Sequence[Answer]) -> list[bool]:
    """Which answers are exactly right; empty where that of a question is not known."""
    key = answer_key(questions)
    return [answer.text == key[question.turns[0]] for question, answer in zip(questions, answers, strict=True) if key]


def judge_outputs(
    judge: Judge, questions: Sequence[Question], outputs: Sequence[str], baseline: Sequence[str]
) -> list[Judgment]:
    """A judgment of each question's output, first, against the baseline's; equal outputs are a tie without asking."""
    judgments = [Judgment.certain("tie")] * len(questions)
    different = [n for n, (ours, theirs) in enumerate(zip(outputs, baseline, strict=True)) if ours != theirs]
    asked = [Comparison(questions[n].first_turn, outputs[n], baseline[n]) for n in different]
    for number, judgment in zip(different, judge.verdicts(asked), strict=True):
        judgments[number] = judgment
    return judgments


def repetition(text: str) -> float:
    """Share of 4-grams of words that came before, in [0, 1] (figure 4; the paper does not define its measure)."""
    words = text.split()
    grams = [tuple(words[start : start + NGRAM]) for start in range(len(words) - NGRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
