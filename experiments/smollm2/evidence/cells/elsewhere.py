"""What JSFT may cost elsewhere: LLMBar's pairs judged and its better outputs weighed, MT-Bench's questions answered."""

from collections.abc import Sequence
from itertools import islice

from selfjudge_training.data.records import PreferencePair
from selfjudge_training.evaluation.judge.judge_stage import llmbar_pairs
from selfjudge_training.evaluation.policy.questions import load_questions

from experiments.smollm2.evidence.cells.bench import Bench
from experiments.smollm2.evidence.cells.forms import Match, Meeting, Read
from experiments.smollm2.evidence.cells.likelihood import Likelihood, likelihoods, load_chat
from experiments.smollm2.evidence.cells.pairing import Matches
from experiments.smollm2.evidence.evidence_plan import BASE, FORMS, Chat, Form
from experiments.smollm2.evidence.kept import KeptRow, keep

AT_ONCE = 16
NATURAL = "natural"
"""The category whose better outputs are weighed: people wrote or approved them."""


class Scored(KeptRow):
    """The scores in place of the better and the worse output of a pair."""

    better: Read
    worse: Read


def load_llmbar(plan: Chat) -> dict[str, PreferencePair]:
    """The pairs of the categories that are judged, by category and place; none without a folder."""
    found: dict[str, PreferencePair] = {}
    pairs = llmbar_pairs(plan.llmbar) if plan.llmbar else []
    for category in plan.categories:
        of_one = islice((pair for pair in pairs if pair.category == category), plan.pairs)
        found |= {f"{category}-{place:03d}": pair for place, pair in enumerate(of_one)}
    return found


def judge_llmbar(bench: Bench) -> None:
    """All pairs by all forms, the better output first."""
    pairs = load_llmbar(bench.plan.chat)
    for form in FORMS if pairs else ():
        file, how = bench.file(f"llmbar-by-{form}"), {"judge": bench.identity}
        if form == "score":
            keep(
                file,
                Scored,
                how,
                list(pairs),
                AT_ONCE,
                lambda keys: _scores(bench, [(key, pairs[key]) for key in keys]),
            )
        else:

            def judge(keys: list[str], form: Form = form) -> list[Matches]:
                orders = bench.forms.encode(form, [_meeting(bench, pairs[key]) for key in keys])
                reads = bench.forms.compare(form, orders)
                return [Matches(key=key, matches=[Match(0, 1, *both)]) for key, both in zip(keys, reads, strict=True)]

            keep(file, Matches, how, list(pairs), AT_ONCE, judge)


def _scores(bench: Bench, rows: Sequence[tuple[str, PreferencePair]]) -> list[Scored]:
    meetings = [_meeting(bench, pair) for _, pair in rows]
    asked = [(one.conversation, answer) for one in meetings for answer in (one.first, one.second)]
    reads = iter(bench.forms.scores(*zip(*asked, strict=True)))
    return [Scored(key=key, better=next(reads), worse=next(reads)) for key, _ in rows]


def _meeting(bench: Bench, pair: PreferencePair) -> Meeting:
    return Meeting(pair.conversation, *bench.forms.answers(pair.conversation, [pair.chosen, pair.rejected]))


def weigh_llmbar(bench: Bench) -> None:
    """The likelihood of the better outputs of the natural category, with the end of their turn."""
    pairs = {key: pair for key, pair in load_llmbar(bench.plan.chat).items() if pair.category == NATURAL}
    if not pairs:
        return

    def weigh(keys: list[str]) -> list[Likelihood]:
        chat = load_chat(bench.model.path)
        end = chat.tokens.encode(chat.tokens.trusted(chat.turn_end()))[-1:]
        texts = {key: (pairs[key].conversation, [chat.tokens.encode(pairs[key].chosen) + end]) for key in keys}
        return likelihoods(bench.model.path, texts)

    keep(bench.file("llmbar-likelihoods"), Likelihood, {"model": bench.identity}, list(pairs), AT_ONCE, weigh)


def answer_questions(bench: Bench) -> None:
    """MT-Bench's first turns: one answer of the base, of others as many as the best is picked of."""
    plan = bench.plan.chat
    samples = 1 if bench.name == BASE else plan.best_of
    if prompts := load_first_turns(plan):
        bench.sample(bench.file("questions"), prompts, samples, plan.decoding.sampling, AT_ONCE)


def load_first_turns(plan: Chat) -> dict[str, str]:
    """The questions by their place; none without a file."""
    questions = load_questions(plan.questions) if plan.questions else []
    return {f"{place:03d}": one.turns[0] for place, one in enumerate(questions[: plan.turns], 1)}
