"""Judges in figures: on pairs of a right and a wrong answer to one task, and on LLMBar."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from selfjudge_training.evaluation.judges import POINTS
from selfjudge_training.evaluation.statistics import Figures, rates, rates_by_category

from experiments.smollm2.evidence.cells.answering import Scores, answers_of, held_out
from experiments.smollm2.evidence.cells.bench import Bench
from experiments.smollm2.evidence.cells.elsewhere import Scored
from experiments.smollm2.evidence.cells.forms import Match, Read
from experiments.smollm2.evidence.cells.pairing import Matches, pairs_of
from experiments.smollm2.evidence.evidence_plan import COMPARING, JM, Form
from experiments.smollm2.evidence.kept import read_kept
from selfjudge.judgment.verdict import outcome


class Judged(NamedTuple):
    """One judge by one form."""

    overall: Figures
    """`accuracy`, where a tie counts half, `label_mass`, and of forms that compare `position_consistency`."""
    by_kind: dict[str, Figures]
    """On the pairs whose wrong answer breaks a constraint of that kind; or by category of LLMBar."""


class Told(NamedTuple):
    """What a judge says of one pair, the right answer first."""

    prompt: str
    kinds: Sequence[str]
    accuracy: float
    label_mass: float
    position_consistency: float | None = None


def judged_within_prompts(bench: Bench) -> dict[Form, Judged]:
    """A judge on pairs of JM's answers, by the forms that were measured."""
    known, answers = held_out(bench.plan), answers_of(bench, JM)
    reads = {key: row.reads for key, row in answers.items()}
    if bench.name != JM:
        kept = read_kept(bench.file(f"scores-by-{bench.name}", JM), Scores)
        reads = {key: row.reads for key, row in kept.items() if key in answers}

    def kinds(key: str, wrong: int) -> list[str]:
        text = answers[key].texts[wrong]
        return sorted({constraint.kind for constraint in known[key].constraints if not constraint.keeps(text)})

    found: dict[Form, list[Told]] = {
        "score": [
            _scored(key, kinds(key, wrong), reads[key][right], reads[key][wrong])
            for key in reads
            for right, wrong in pairs_of(bench.plan, known[key], answers[key])
        ]
    }
    for form in COMPARING:
        rows = read_kept(bench.file(f"pairs-by-{form}"), Matches)
        found[form] = [
            _compared(key, kinds(key, match.second), match)
            for key in rows
            if key in answers
            for match in rows[key].matches
        ]
    return _figures(found)


def judged_llmbar(bench: Bench) -> dict[Form, Judged]:
    """A judge on LLMBar."""
    scored = read_kept(bench.file("llmbar-by-score"), Scored)
    found: dict[Form, list[Told]] = {
        "score": [_scored(key, [_category(key)], row.better, row.worse) for key, row in scored.items()]
    }
    for form in COMPARING:
        rows = read_kept(bench.file(f"llmbar-by-{form}"), Matches)
        found[form] = [_compared(key, [_category(key)], row.matches[0]) for key, row in rows.items()]
    return _figures(found)


def _category(key: str) -> str:
    return key.rpartition("-")[0]


def _scored(key: str, kinds: Sequence[str], right: Read, wrong: Read) -> Told:
    first, second = right.reading, wrong.reading
    points = POINTS[outcome([first.margin - second.margin])]
    return Told(key, kinds, points, (first.label_mass + second.label_mass) / 2)


def _compared(key: str, kinds: Sequence[str], match: Match) -> Told:
    said = match.verdict
    return Told(key, kinds, POINTS[said.winner], said.label_mass, float(said.consistent))


def _figures(found: Mapping[Form, Sequence[Told]]) -> dict[Form, Judged]:
    return {
        form: Judged(_rates(told), _by_kind([(kind, one) for one in told for kind in one.kinds]))
        for form, told in found.items()
        if told
    }


def _rates(told: Sequence[Told]) -> Figures:
    return rates(_columns(told), [one.prompt for one in told])


def _by_kind(told: Iterable[tuple[str, Told]]) -> dict[str, Figures]:
    rows = list(told)
    return rates_by_category(
        _columns([one for _, one in rows]), [one.prompt for _, one in rows], [kind for kind, _ in rows]
    )


def _columns(told: Sequence[Told]) -> dict[str, list[float]]:
    consistent = [one.position_consistency for one in told if one.position_consistency is not None]
    columns = {"accuracy": [one.accuracy for one in told], "label_mass": [one.label_mass for one in told]}
    return {**columns, "position_consistency": consistent} if consistent else columns
