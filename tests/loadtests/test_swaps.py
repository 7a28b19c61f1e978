"""What the report of swaps under load says of answers that nobody gave, and what it does not let pass."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.swaps.base_only import LORA, PLAIN, STORE, Turn, Turns
from loadtests.swaps.base_only import markdown as base_only_page
from loadtests.swaps.costs import Round, Start
from loadtests.swaps.inventory import Inventory
from loadtests.swaps.load import Answer
from loadtests.swaps.logs import logs_kept_on_failure
from loadtests.swaps.plot import draw
from loadtests.swaps.report import Check, Mixed, summarise
from loadtests.swaps.scenario import Measured, Phase, Reread, Settings
from loadtests.swaps.table import markdown
from loadtests.swaps.versions import POLICY, Version

VERSIONS = [Version("one", "0123"), Version("two", "CDEF")]
HELD = Inventory({"server": 600.0, "engine": 400.0}, loaded=2, listed=2, leases=0, cache_usage=0.0)
GOOD = Answer(0.0, 1.0, 200, f"{POLICY}@one", f"{POLICY}@one", ("0123", "3210"), ())
SAME = Reread(own=1e-6, other=0.2)
SETTINGS = Settings(Path("model"), swaps=2, clients=1, best_of_n=2, requests=4, rounds=1)


def measured(odd: Answer = GOOD, after: Inventory = HELD, reread: Reread = SAME) -> Measured:
    answers = [GOOD._replace(started=float(number), seconds=1 + number / 100) for number in range(20)]
    return Measured(
        [
            Phase("before", answers, 20.0, [], HELD),
            Phase("swaps", [*answers, odd], 20.0, [0.1, 0.3], HELD),
            Phase("after", answers, 20.0, [], after),
        ],
        [reread],
    )


def failing(what: Measured) -> list[str]:
    return [check.name for check in summarise(what, VERSIONS, []).checks if not check.holds]


def test_what_is_as_it_must_be_holds() -> None:
    assert failing(measured()) == []


@pytest.mark.parametrize(
    ("odd", "name"),
    [
        (GOOD._replace(status=503, named="the engine is gone", texts=()), "no request fails"),
        (GOOD._replace(status=0, named="ConnectionError", texts=()), "no request fails"),
        (GOOD._replace(header=f"{POLICY}@two"), "every answer names one version"),
        (GOOD._replace(texts=("0123", "012C")), "no answer mixes versions"),
        (GOOD._replace(texts=("0123", "")), "no answer mixes versions"),
        (GOOD._replace(named=f"{POLICY}@two", header=f"{POLICY}@two"), "no answer mixes versions"),
        (GOOD._replace(seconds=100.0), "p99 within 1.5 of that without swaps"),
    ],
)
def test_one_bad_answer_is_enough(odd: Answer, name: str) -> None:
    assert failing(measured(odd)) == [name]


def test_what_an_answer_mixed_is_kept() -> None:
    odd = GOOD._replace(texts=("012C", "0123", "012C"), prompt="Say a number.")
    assert summarise(measured(odd), VERSIONS, []).mixed == [
        Mixed("swaps", f"{POLICY}@one", "0123", "Say a number.", "012C")
    ]


@pytest.mark.parametrize(("reread", "holds"), [(SAME, True), (Reread(0.1, 0.2), False), (Reread(1e-6, 1e-6), False)])
def test_judgments_must_be_those_of_the_named_version_and_of_no_other(reread: Reread, holds: bool) -> None:
    assert (failing(measured(reread=reread)) == []) is holds


@pytest.mark.parametrize(
    "change",
    [
        lambda held: held._replace(memory={"server": 1100.0}),
        lambda held: held._replace(loaded=3),
        lambda held: held._replace(listed=3),
        lambda held: held._replace(leases=1),
        lambda held: held._replace(cache_usage=0.01),
    ],
)
def test_what_is_left_behind_is_told(change: Callable[[Inventory], Inventory]) -> None:
    assert len(failing(measured(after=change(HELD)))) == 1


def test_page_and_picture(tmp_path: Path) -> None:
    rounds = [Round(Start(8.0, 30.0, None), Start(10.0, 28.0, 27.0))]
    report = summarise(measured(), VERSIONS, rounds)
    page = markdown({"machine": "none"}, SETTINGS, report._replace(checks=[*report.checks, Check("x", False, "y")]))
    assert "| x | **no** | y |" in page
    assert "| requests to a policy, a second |  | 27.00 (27.00-27.00) |" in page
    assert "2 swaps took 0.20 s each (median), 0.30 s at most." in page
    draw(measured().phases).savefig(tmp_path / "picture.png")


def test_ratios_are_of_the_same_round() -> None:
    turns = [Turn(rate=10.0, cpu=0.010), Turn(20.0, 0.011), Turn(40.0, 0.020)]
    dearer = [Turn(9.0, 0.012), Turn(16.0, 0.011), Turn(34.0, 0.030)]
    page = base_only_page({"machine": "none"}, [Turns(8, {PLAIN: turns, LORA: turns, STORE: dearer})])
    assert "| 8 | with LoRA | 11.0 | 1.000 (1.000-1.000) | 20.0 | 1.000 (1.000-1.000) |" in page
    assert "| 8 | with a store | 12.0 | 1.200 (1.000-1.500) | 16.0 | 0.850 (0.800-0.900) |" in page


@pytest.mark.parametrize("ends_by", [SystemExit, RuntimeError, None])
def test_logs_are_kept_and_shown_where_something_goes_wrong(
    ends_by: type[BaseException] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure() -> None:
        with logs_kept_on_failure() as folder:
            folders.append(folder)
            (folder / "server.log").write_text("started\nthe engine failed\n")
            if ends_by:
                raise ends_by

    folders: list[Path] = []
    if ends_by is None:
        measure()
    else:
        with pytest.raises(ends_by):
            measure()
    said = capsys.readouterr().err
    assert folders[0].exists() is (str(folders[0] / "server.log") in said) is ("the engine failed" in said)
    assert folders[0].exists() is (ends_by is not None)
    shutil.rmtree(folders[0], ignore_errors=True)
