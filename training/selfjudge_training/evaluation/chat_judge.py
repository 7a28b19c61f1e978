"""Any OpenAI-compatible chat endpoint as the judge: asked in words in both orders, and judging by what it answers.

The words are those of a judgment template, and a last line asks for one letter. An answer that does not begin with one
counts half for each response, and lowers `label_mass`, here the share of the two answers that could be read. So does a
pair that the endpoint finds too long for its context: only it can count its tokens, so that nothing is cut.
Probabilities are therefore 0, 1/2 or 1: calibration says little about such a judge.
"""

import math
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from selfjudge import Choice, Comparison, JudgmentTemplate, PrincipleVerdict, Reading, Verdict
from selfjudge.judgment.conversation import context_text
from selfjudge.judgment.quoting import Quoter, delimiters
from selfjudge.judgment.template import Wording
from selfjudge.text.thinking import without_reasoning
from selfjudge_training.evaluation.judges import Judgment
from selfjudge_training.evaluation.policies import complete
from selfjudge_training.run.endpoint import Endpoint

REQUEST = "Reply with the single letter A or B: the letter of the better response."

# What may follow: nothing, punctuation, or a line break. In "A good answer", "A/B", "A-level" and "A's" the letter is a
# word, or part of one; and in "A is worse" it is no choice.
_LEADING = re.compile(
    r"[\W_]*(?:(?i:response|assistant|answer|option|choice)[\W_]+)?"
    r"(?P<letter>[AB])(?=[\W_]*$|[^\w\s/&+'\u2019-]|[ \t]*\n|[ \t]+[^\w\s/&+'\u2019])"
)

_READINGS = {"A": Reading(0, -math.inf), "B": Reading(-math.inf, 0), None: Reading(-math.inf, -math.inf)}
"""What a choice, or none, says of the letters."""


class ChatJudge:
    """A chat model that judges by one template; one that thinks aloud first needs many ``max_tokens``."""

    def __init__(self, endpoint: Endpoint, model: str, template: JudgmentTemplate, max_tokens: int) -> None:
        self._endpoint, self._template = endpoint, template
        self._options = {"model": model, "temperature": 0, "max_tokens": max_tokens}

    def __call__(self, comparisons: Sequence[Comparison], principle: str | None = None) -> list[Judgment]:
        """Raises EndpointError, and ValueError where a template wants a principle and has none."""
        known = self._template.principles
        if known is not None and principle is None:
            raise ValueError(
                f"template {self._template.name!r} asks under a principle ({', '.join(known)}), and a pair has none; "
                "a chat judge judges on the whole by a template without principles, such as 'ultrafeedback'"
            )
        wording = self._template.wording(principle if known is not None else None)
        quote, bodies = Quoter(delimiters(self._template, wording)), []
        for conversation, first, second in comparisons:
            context = context_text(self._template, conversation, quote)
            a, b = quote(first), quote(second)
            bodies += [self._body(wording, context, a, b), self._body(wording, context, b, a)]
        answers = self._endpoint.each(partial(complete, self._endpoint), bodies, "asking the judge")
        choices = [read_choice(answer.text, wording.answer_prefix) for [answer] in answers]
        return [_judgment(at_a, at_b) for at_a, at_b in zip(choices[::2], choices[1::2], strict=True)]

    def _body(self, wording: Wording, context: str, response_a: str, response_b: str) -> dict[str, Any]:
        pieces = wording.user
        question = "".join((pieces[0], context, pieces[1], response_a, pieces[2], response_b, pieces[3]))
        messages = [
            {"role": "system", "content": wording.system},
            {"role": "user", "content": f"{question.rstrip()}\n\n{REQUEST}"},
        ]
        return {**self._options, "messages": messages}


def read_choice(answer: str, prefix: str = "") -> Choice | None:
    """The letter with which an answer begins, once reasoning, and the words that a judgment begins with, are dropped.

    Only the beginning decides: what follows the letter explains it, and may name both responses. The letter may stand
    in marks (`**B**`, `[[B]]`) and behind one word for it (`Response B`, `Answer: B`). None where the answer begins
    otherwise: it can't be read.
    """
    said = without_reasoning(answer).strip().removeprefix(prefix.strip())
    match = _LEADING.match(said)
    return None if match is None else "A" if match["letter"] == "A" else "B"


def _judgment(at_a: Choice | None, at_b: Choice | None) -> Judgment:
    """From the choices with the first response at place A, and at place B."""
    verdict = Verdict.of([PrincipleVerdict(None, _READINGS[at_a], _READINGS[at_b])])
    # Two answers that can't be read are no two equal choices.
    return Judgment.of(verdict)._replace(consistent=verdict.consistent and verdict.label_mass > 0)
