"""Reports: whole without network, the same figures in JSON, plots as PNG."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest
from selfjudge_training.data.records import PreferencePair
from selfjudge_training.evaluation.judge.judge_report import evaluate_judge, judge_report
from selfjudge_training.evaluation.plots import over_n
from selfjudge_training.evaluation.report import Plot, Report, Table, cell, plain, write_report
from selfjudge_training.evaluation.statistics import Estimate
from typing_extensions import override

from tests.training.evaluation.fakes import Preferring

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a browser would make of a page: its text, what it would fetch, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.texts: list[str] = []
        self.rows = 0
        self.feed(html)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.rows += tag == "tr"
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def pairs() -> list[PreferencePair]:
    def pair(name: str, better: str, worse: str, kind: str) -> PreferencePair:
        return PreferencePair([{"role": "user", "content": name}], better, worse, category=kind)

    return [pair(str(n), "aaa", "b", "long <b>") if n % 3 else pair(str(n), "a", "bbb", "short") for n in range(30)]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    result = evaluate_judge(Preferring(len), pairs())
    return write_report(judge_report("length", {"Made up": result}, {"judge": {"kind": "fake"}, "seed": 0}), tmp_path)


def test_the_files(files: list[Path]) -> None:
    names = {path.name for path in files}
    assert names == {"report.json", "report.html", "reliability-made-up.png", "categories-made-up.png"}
    for path in files:
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG") == (path.suffix == ".png")


def test_the_page_is_whole_and_fetches_nothing(files: list[Path]) -> None:
    html = next(path for path in files if path.suffix == ".html").read_text(encoding="utf-8")
    page = Page(html)
    assert page.open == []
    assert len(page.sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert "@import" not in html
    assert "url(" not in html
    text = "".join(page.texts)
    assert "66.7% of 30 pairs are judged right" in text
    assert "always taking the longer response would be right in 66.7%" in text
    assert "long <b>" in text  # data are text, not markup
    assert "judge.kind" in text
    assert page.rows == 2 + 2 + 3  # three tables with their headers


def test_the_json_has_the_figures(files: list[Path]) -> None:
    content = json.loads(next(path for path in files if path.suffix == ".json").read_text(encoding="utf-8"))
    assert content["setting"] == {"judge": {"kind": "fake"}, "seed": 0}
    accuracy = content["results"]["Made up"]["overall"]["accuracy"]
    assert accuracy["mean"] == pytest.approx(2 / 3)
    assert accuracy["low"] < accuracy["mean"] < accuracy["high"]
    assert content["results"]["Made up"]["calibration"]["bins"][0]["accuracy"]["observations"] == 30


def test_equal_results_give_equal_files(tmp_path: Path) -> None:
    def written(name: str) -> dict[str, bytes]:
        (tmp_path / name).mkdir()
        report = judge_report("length", {"Made up": evaluate_judge(Preferring(len), pairs())}, {})
        return {path.name: path.read_bytes() for path in write_report(report, tmp_path / name)}

    assert written("one") == written("two")


def test_chance_is_called_chance(tmp_path: Path) -> None:
    even = evaluate_judge(Preferring(lambda text: 0.0), pairs())
    assert "no better than chance" in judge_report("undecided", {"x": even}, {}).summary[0]
    worse = evaluate_judge(Preferring(lambda text: -len(text)), [one for one in pairs() if one.category != "short"])
    assert "worse than chance" in judge_report("contrary", {"x": worse}, {}).summary[0]


def test_a_sweep_is_drawn_with_and_without_exact_match(tmp_path: Path) -> None:
    estimate = Estimate(0.5, 0.4, 0.6, 10)
    bare = {n: dict.fromkeys(("win_rate", "label_mass", "length", "repetition"), estimate) for n in (1, 2)}
    checked = {n: {**figures, "exact_match": estimate} for n, figures in bare.items()}
    plots = [Plot(name, name, over_n(points, name)) for name, points in (("four", checked), ("three", bare))]
    assert [len(plot.figure.axes) for plot in plots] == [4, 3]
    write_report(Report("Sweep", {}, plots=plots), tmp_path)
    assert (tmp_path / "four.png").is_file()


def test_cells() -> None:
    assert cell(Estimate(0.5, 0.25, 0.75, 8)) == "0.500 [0.250, 0.750]"
    assert cell(1234.5) == "1,234.5"
    assert cell(12) == "12"
    assert cell(None) == ""


class Nested(NamedTuple):
    """A report in small."""

    inner: Table
    by: dict[str, Estimate]


def test_plain_keeps_names() -> None:
    nested = Nested(Table("t", "n", "o", {"r": {"c": 1}}), {"x": Estimate(1.0, 1.0, 1.0, 1)})
    assert plain(nested) == {
        "inner": {"title": "t", "note": "n", "of": "o", "rows": {"r": {"c": 1}}},
        "by": {"x": {"mean": 1.0, "low": 1.0, "high": 1.0, "observations": 1}},
    }
