"""A back end without a model: responses from a script, judgments by a rule, as a full implementation of `RollOuts`."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from selfjudge_training.data.records import Messages
from selfjudge_training.rollouts.base import RollOuts, Sample, Sampling
from typing_extensions import override

from selfjudge import Chat, ChoiceTokens, Reading

RESPONSES = re.compile(r"Response A:\n-----\n(.*?)\n-----\n.*Response B:\n-----\n(.*?)\n-----", re.DOTALL)


class ScriptedRollOuts(RollOuts):
    """Answers each prompt with the script's responses, in turn, and prefers place A by sigmoid(lean(a, b))."""

    context = 1024

    def __init__(
        self, chat: Chat, script: Mapping[str, Sequence[str]], lean: Callable[[str, str], float], end: str = "<|eos|>"
    ) -> None:
        self.chat, self._script, self._lean = chat, script, lean
        [self._end] = chat.tokens.encode(chat.tokens.trusted(end))
        self.adapters: list[Path | None] = []
        self.judgments_read = 0

    @override
    def sample(
        self, conversations: Sequence[Messages], *, samples: int, sampling: Sampling, seed: int
    ) -> list[list[Sample]]:
        return [
            [
                Sample(text, [*self.chat.tokens.encode(text), self._end], finished=True)
                for text in self._script[conversation[-1]["content"]][:samples]
            ]
            for conversation in conversations
        ]

    @override
    def read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[Reading]:
        self.judgments_read += len(prompts)
        found = (RESPONSES.search(str(self.chat.tokens.source.decode(prompt))) for prompt in prompts)
        leans = [self._lean(match[1], match[2]) for match in found if match]
        return [Reading(-math.log1p(math.exp(-lean)), -math.log1p(math.exp(lean))) for lean in leans]

    @override
    def use_adapter(self, path: Path | None) -> None:
        self.adapters.append(path)
