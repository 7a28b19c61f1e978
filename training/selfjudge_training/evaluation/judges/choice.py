"""Which letter a judge's answer in words chooses.

Only the beginning of an answer decides: what follows the letter explains it, and may name both responses.
"""

import re
from typing import Literal

from selfjudge.text.thinking import without_reasoning

# What may follow: nothing, punctuation, or a line break. In "A good answer", "A/B", "A-level" and "A's" the letter is a
# word, or part of one; and in "A is worse" it is no choice.
_LEADING = re.compile(
    r"[\W_]*(?:(?i:response|assistant|answer|option|choice)[\W_]+)?"
    r"(?P<letter>[AB])(?=[\W_]*$|[^\w\s/&+'\u2019-]|[ \t]*\n|[ \t]+[^\w\s/&+'\u2019])"
)


def read_choice(answer: str, prefix: str = "") -> Literal["A", "B"] | None:
    """The letter with which an answer begins, once reasoning, and the words that a judgment begins with, are dropped.

    It may stand in marks (`**B**`, `[[B]]`) and behind one word for it (`Response B`, `Answer: B`). Reasoning is what
    stands in tags such as `<think>`; where only the end of it is there the template began it, and where only its
    beginning is there the answer never came. None where the answer begins otherwise: it can't be read.
    """
    said = without_reasoning(answer).strip().removeprefix(prefix.strip())
    match = _LEADING.match(said)
    return None if match is None else "A" if match["letter"] == "A" else "B"
