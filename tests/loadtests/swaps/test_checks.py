"""What is said of answers under swaps that nobody gave, and what is not let pass."""

from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.report import write
from loadtests.swaps.askers import POLICY, Answer
from loadtests.swaps.checks import Held, Phase, Reread
from loadtests.swaps.swaps_page import results

ALPHABETS = {f"{POLICY}@one": "0123", f"{POLICY}@two": "CDEF"}
HELD = Held(1000.0, loaded=2, listed=2, leases=0, cache_usage=0.0)
GOOD = Answer(0.0, 1.0, 200, f"{POLICY}@one", f"{POLICY}@one", ("0123", "3210"))
SAME = Reread(own=1e-6, other=0.2)


def phases(odd: Answer = GOOD, after: Held = HELD) -> list[Phase]:
    answers = [GOOD._replace(started=float(number), seconds=1 + number / 100) for number in range(20)]
    return [
        Phase("before", answers, 20.0, [], HELD),
        Phase("swaps", [*answers, odd], 20.0, [0.1, 0.3], HELD),
        Phase("after", answers, 20.0, [], after),
    ]


def failing(what: list[Phase], reread: Reread = SAME) -> list[str]:
    return [one.partition(":")[0] for one in results("", what, [reread], ALPHABETS).failed]


def test_what_is_as_it_must_be_holds() -> None:
    assert failing(phases()) == []


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
    assert failing(phases(odd)) == [name]


@pytest.mark.parametrize(("reread", "holds"), [(SAME, True), (Reread(0.1, 0.2), False), (Reread(1e-6, 1e-6), False)])
def test_judgments_must_be_those_of_the_named_version_and_of_no_other(reread: Reread, holds: bool) -> None:
    assert (failing(phases(), reread) == []) is holds


@pytest.mark.parametrize(
    "change",
    [
        lambda held: held._replace(memory_mib=1100.0),
        lambda held: held._replace(loaded=3),
        lambda held: held._replace(listed=3),
        lambda held: held._replace(leases=1),
        lambda held: held._replace(cache_usage=0.01),
    ],
)
def test_what_is_left_behind_is_told(change: Callable[[Held], Held]) -> None:
    assert len(failing(phases(after=change(HELD)))) == 1


def test_the_page_says_what_does_not_hold(tmp_path: Path) -> None:
    failed = GOOD._replace(status=503, named="the engine is gone", texts=())
    raw, page, plot = write(tmp_path, {}, results("2 clients", phases(failed), [SAME], ALPHABETS))
    assert "| no request fails | **fails**: 1 failed |" in page.read_text()
    assert "2 swaps took 0.20 s each (median), 0.30 s at most." in page.read_text()
    assert "the engine is gone" in raw.read_text()
    assert plot.stat().st_size > 1000
