"""What becomes of two samples: chosen and rejected, or skipped for a reason that is counted."""

import math
import re
from collections.abc import Callable, Mapping, Sequence

import pytest
from selfjudge_training.rollouts.base import RollOuts, Sampling
from selfjudge_training.rollouts.judge import Judge
from selfjudge_training.self_training.choosing import Compared
from selfjudge_training.self_training.loop import figures_of
from selfjudge_training.self_training.losses import Pair
from selfjudge_training.self_training.pairs import OnPolicy
from selfjudge_training.self_training.prompts import Prompt
from transformers import PreTrainedTokenizerBase
from typing_extensions import override

from selfjudge import Chat, ChoiceTokens, JudgmentEncoder, SafeTokenizer, load_templates

RESPONSES = re.compile(r"Response A:\n-----\n(.*?)\n-----\n.*Response B:\n-----\n(.*?)\n-----", re.DOTALL)


class ScriptedRollOuts(RollOuts):
    """Answers each prompt with the script's responses, in turn, and prefers place A by sigmoid(lean(a, b))."""

    def __init__(self, chat: Chat, script: Mapping[str, Sequence[str]], lean: Callable[[str, str], float]) -> None:
        super().__init__(chat.tokens.source, 1024)
        self._script, self._lean = script, lean
        self.asked: list[str] = []
        self.judged: list[str] = []

    @override
    def _generate(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling, seed: int) -> list[list[int]]:
        texts = [str(self.chat.tokens.source.decode(prompt)) for prompt in prompts]
        self.asked += texts
        responses = [responses for text in texts for name, responses in self._script.items() if name in text]
        return [[*self.chat.tokens.encode(text), self.ends[0]] for each in responses for text in each[:samples]]

    @override
    def _read(self, prompts: Sequence[list[int]], choice: ChoiceTokens) -> list[list[float]]:
        texts = [str(self.chat.tokens.source.decode(prompt)) for prompt in prompts]
        self.judged += texts
        leans = [self._lean(match[1], match[2]) for match in map(RESPONSES.search, texts) if match]
        return [[-math.log1p(math.exp(-lean)), -math.log1p(math.exp(lean))] for lean in leans]


QUALITY = {"good": 3.0, "fair": 1.1, "even": 1.0, "also": 1.0, "bad": -2.0}
SCRIPT = {
    "first": ["bad", "good"],
    "second": ["good", "bad"],
    "equal": ["good", "good"],
    "tied": ["even", "also"],
    "near": ["even", "fair"],
}


@pytest.fixture
def chat(tokenizer: PreTrainedTokenizerBase) -> Chat:
    return Chat(SafeTokenizer(tokenizer))


def by_quality(a: str, b: str) -> float:
    return QUALITY[a] - QUALITY[b]


def judged(
    chat: Chat, names: list[str], lean: Callable[[str, str], float] = by_quality, least_margin: float = 0.0
) -> tuple[list[Pair], ScriptedRollOuts]:
    rollouts = ScriptedRollOuts(chat, SCRIPT, lean)
    encoder = JudgmentEncoder(chat, load_templates()["ultrafeedback"], max_tokens=500)
    asked = [[{"role": "user", "content": name}] for name in names]
    prompts = [Prompt(one, one, [5, 6]) for one in asked]
    source = OnPolicy(rollouts, Compared(Judge(rollouts, [encoder]), least_margin), prompts, Sampling(), 2)
    return source.judged(range(len(names)), seed=0), rollouts


def test_the_judge_decides_which_is_chosen_wherever_it_stands(chat: Chat) -> None:
    pairs, _ = judged(chat, ["first", "second"])
    end = chat.tokens.source.eos_token_id
    for pair in pairs:
        assert not pair.skipped
        assert pair.prompt == [5, 6]
        assert pair.chosen == [*chat.tokens.encode("good"), end]
        assert pair.rejected == [*chat.tokens.encode("bad"), end]
        assert pair.consistent


def test_equal_samples_are_skipped_and_no_judge_is_asked(chat: Chat) -> None:
    [pair], rollouts = judged(chat, ["equal"])
    assert pair.equal
    assert pair.skipped
    assert pair.consistent is None
    assert not rollouts.judged


def test_ties_are_skipped(chat: Chat) -> None:
    [pair], rollouts = judged(chat, ["tied"])
    assert pair.tie
    assert pair.skipped
    assert len(rollouts.judged) == 2


def test_a_judge_that_only_sees_places_ties(chat: Chat) -> None:
    [pair], _ = judged(chat, ["first"], lean=lambda a, b: 4.0)
    assert pair.tie
    assert pair.consistent is False


def test_pairs_below_the_margin_are_skipped(chat: Chat) -> None:
    [kept], _ = judged(chat, ["near"], least_margin=0.02)
    [close], _ = judged(chat, ["near"], least_margin=0.03)
    assert not kept.skipped
    assert close.close
    assert close.skipped


def test_everything_skipped_is_counted(chat: Chat) -> None:
    pairs, _ = judged(chat, list(SCRIPT), least_margin=0.03)
    figures = figures_of(pairs)
    assert figures["pairs"] == 2
    assert figures["skipped/equal"] == figures["skipped/tie"] == figures["skipped/close"] == pytest.approx(0.2)
    assert figures["judge/position_consistency"] == 1.0


def test_the_default_system_message_is_for_the_policy_and_not_for_the_judge(chat: Chat) -> None:
    rollouts, template = ScriptedRollOuts(chat, SCRIPT, by_quality), load_templates()["ultrafeedback-principle"]
    encoders = [JudgmentEncoder(chat, template, principle, max_tokens=500) for principle in template.principles or ()]
    conversation = [{"role": "user", "content": "first"}]
    prompt = Prompt(conversation, [{"role": "system", "content": "Be right."}, *conversation], [5, 6])
    OnPolicy(rollouts, Compared(Judge(rollouts, encoders), 0.0), [prompt], Sampling(), 2).judged([0], seed=0)
    assert all("Be right." in text for text in rollouts.asked)
    assert len(rollouts.judged) == 2 * len(encoders)
    assert not any("Be right." in text for text in rollouts.judged)
