"""From measured rows to figures and pages."""

import json
from pathlib import Path

import pytest
from selfjudge_training.seeds import derived_seed

from experiments.smollm2.evidence.cells.answering import answers_of, held_out, truth, undecided
from experiments.smollm2.evidence.cells.bench import Bench
from experiments.smollm2.evidence.cells.tournaments import Tournaments, brackets_of, champion
from experiments.smollm2.evidence.evidence_plan import EvidencePlan
from experiments.smollm2.evidence.kept import read_kept
from experiments.smollm2.evidence.results.everything import Everything, read_everything
from experiments.smollm2.evidence.results.evidence_report import write_evidence
from experiments.smollm2.evidence.results.picking_figures import SCORE
from selfjudge import Tournament


@pytest.fixture(scope="module")
def found(plan: EvidencePlan, measured: Path) -> Everything:
    return read_everything(plan, measured)


def test_shares_are_of_answers_that_keep_all_constraints(plan: EvidencePlan, measured: Path, found: Everything) -> None:
    known, answers = held_out(plan), answers_of(Bench(plan, measured, "jm"))
    right = [one for key, row in answers.items() for one in truth(known[key], row)]
    assert found.shares["jm"].right.mean == pytest.approx(sum(right) / len(right))
    assert found.shares["jm"].over.keys() == {"base"}
    assert found.shares["self-1"].over.keys() == {"base", "jm"}
    assert "self-2" not in found.shares


def test_judges_are_measured_on_the_same_pairs(found: Everything) -> None:
    assert found.judges.keys() == {"base", "jm", "self-1"}
    counts = {one.overall["accuracy"].observations for forms in found.judges.values() for one in forms.values()}
    assert len(counts) == 1
    assert found.judges["jm"]["document"].overall["position_consistency"].mean < 1  # it likes place A
    assert "position_consistency" not in found.judges["jm"]["score"].overall


def test_a_bracket_of_groups_is_the_tournament_of_the_server(plan: EvidencePlan, measured: Path) -> None:
    bench = Bench(plan, measured, "jm")
    answers, rows = answers_of(bench), read_kept(bench.file("tournaments-by-pair"), Tournaments)
    assert len(rows) == min(plan.tasks.matches, len(undecided(plan, answers)))
    assert rows
    for key, row in rows.items():
        found = {(match.first, match.second): match for match in row.matches}
        *_, whole = brackets_of(plan, "pair", answers[key])
        contest = Tournament(8, seed=derived_seed(plan.seed, "bracket", key))
        for candidate in range(8):
            contest.arrive(candidate)
        while ready := contest.ready():
            for match in ready:
                verdict = found[match.first, match.second].verdict
                contest.report(match, verdict.winner, verdict.probability_a)
        assert champion(whole.seats, found) == contest.ranking()[0]
        assert row.costs["knockout"][2] < row.costs["knockout"][8]


def test_picking_lies_between_chance_and_oracle(found: Everything) -> None:
    picked = found.picking["jm"].picked
    assert picked["random"][8].right.mean == pytest.approx(picked[SCORE][1].right.mean)
    assert picked["oracle"][8].right.mean > picked["random"][1].right.mean
    assert picked[SCORE][8].tokens == pytest.approx(4 * (picked[SCORE][2].tokens or 0))
    assert set(found.contests["jm"].picked) >= {"document, knockout", "pair in place, knockout", SCORE}
    assert "score in place, by the reference" in found.picking["self-1"].picked


def test_ifeval_has_the_best_of_eight_where_eight_were_sampled(found: Everything) -> None:
    assert found.ifeval["jm"].keys() == {1, 8}
    assert found.ifeval["base"].keys() == {1}
    assert found.ifeval["base"][1].over_base is None
    assert found.ifeval["jm"][8].over_base is not None


def test_the_page_says_what_is_not_measured(
    plan: EvidencePlan, measured: Path, found: Everything, tmp_path: Path
) -> None:
    write_evidence(plan, found, measured, tmp_path)
    page = (tmp_path / "smollm2.md").read_text()
    assert "| JM | score in place |" in page
    assert page.count("Not measured yet") == 1  # the hot swap
    assert "self-training (self-2) raises the share of right answers over JM's | 10 |  | **not measured yet**" in page
    assert "\n\n\n" not in page
    written = (tmp_path / "smollm2.json").read_text()
    assert json.loads(written)["results"]["swap"] is None
    assert str(plan.chat.llmbar) not in written  # no path of one machine
    assert str(plan.models["jm"].path) not in written
    answers = (tmp_path / "smollm2-answers.md").read_text()
    assert "````text\nWrite ```a``` tweet.\n````" in answers


def test_a_page_of_nothing_can_be_drawn(plan: EvidencePlan, tmp_path: Path) -> None:
    root = tmp_path / "empty"
    written = write_evidence(plan, read_everything(plan, root), root, tmp_path)
    assert {path.name for path in written} == {"smollm2.md", "smollm2.json"}
    assert (tmp_path / "smollm2.md").read_text().lower().count("not measured yet") == 7 + 8
