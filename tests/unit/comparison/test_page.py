"""The page of a comparison: what it says, what it leaves out, and that it is written with all other files or not."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from comparisons import planted

from sage_select.comparison import write as write_module
from sage_select.comparison.folder import ComparisonFolder
from sage_select.comparison.page import comparison_page
from sage_select.comparison.page.curves import smoothed
from sage_select.comparison.result import Comparison
from sage_select.comparison.trained import run_folders
from sage_select.comparison.write import ComparisonNames, check_replaceable, write_comparison
from sage_select.errors import OutputError
from sage_select.io.commit.files import Files
from sage_select.report.blocks import Code, Page, Section, Table, Word
from sage_select.report.charts.curves import Curves
from sage_select.report.charts.forest import Forest
from sage_select.report.charts.levels import Levels
from sage_select.report.page import Written

CHANCES = {"plain": 0.0, "good": 1.6, "bad": -1.6, "same": 0.0, "broken": 0.0}
FAILING = [("broken", 0), ("broken", 1), ("broken", 2), ("same", 1)]
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "\u202eevil\x00", "w" * 200]


@pytest.fixture
def found(tmp_path: Path) -> Comparison:
    return planted(tmp_path, CHANCES, failing=FAILING, teachers={"same": "good"})


def section(page: Page, title: str) -> Section:
    return next(one for one in page.sections if one.title == title)


def blocks(page: Page, title: str, kind: type[Any]) -> list[Any]:
    return [one for one in section(page, title).blocks if isinstance(one, kind)]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "arms" not in path.parts
    }


def test_each_arm_has_its_verdict_in_a_line(found: Comparison) -> None:
    page = comparison_page(found)
    (table,) = blocks(page, "Verdicts", Table)
    words = {row[0]: row[1] for row in table.rows}
    assert {name: (word.text, word.tone, word.below) for name, word in words.items() if isinstance(word, Word)} == {
        "plain": ("control", "plain", ""),
        "good": ("better", "good", "than plain"),
        "bad": ("worse", "bad", "than plain"),
        "same": ("not distinguishable", "plain", "from plain"),
        "broken": ("failed", "bad", "beside plain"),
    }
    seeds = {row[0]: row[table.header.index("seeds")] for row in table.rows}
    assert (seeds["good"], seeds["same"], seeds["broken"]) == ("3 of 3", "2 of 3", "0 of 3")
    assert page.verdict is not None
    assert page.verdict.text == (
        "Better than its control: good. Worse than its control: bad. Not distinguishable from its control: same. "
        "Failed: broken. Failed under some seeds: same."
    )


def test_n_is_a_column_where_arms_have_other_rows(found: Comparison) -> None:
    first = found.judgements[0]
    figures = first.arms["good"]
    assert figures.difference is not None
    other = replace(figures, difference=replace(figures.difference, rows=123))
    judged = [replace(first, arms={**first.arms, "good": other}), *found.judgements[1:]]
    (table,) = blocks(comparison_page(replace(found, judgements=judged)), "Verdicts", Table)
    assert [row[-1] for row in table.rows] == ["", "123", "300", "300", ""]


def test_figures_show_every_arm_that_has_something_to_show(found: Comparison) -> None:
    page = comparison_page(found)
    assert [one.name for one in page.figures()] == [
        "difference-exact-answer",
        "difference-loss",
        "exact-answer-by-tokens",
        "exact-answer-by-rows",
        "learning-curves",
    ]
    charts = {one.name: one.chart for one in page.figures()}
    forest, levels, curves = (charts[name] for name in list(charts)[::2])
    assert isinstance(forest, Forest)
    assert [(one.name, one.tone, one.bounds is None) for one in forest.differing] == [
        ("good", "good", False),
        ("bad", "bad", False),
        ("same", "plain", False),
        ("broken", "plain", True),
    ]
    assert isinstance(charts["difference-loss"], Forest)
    assert not charts["difference-loss"].higher
    assert isinstance(levels, Levels)
    assert [(one.name, len(one.seeds), one.control) for one in levels.levels] == [
        ("plain", 3, True),
        ("good", 3, False),
        ("bad", 3, False),
        ("same", 2, False),
    ]
    assert levels.base == found.judgements[0].base
    assert isinstance(curves, Curves)
    assert [(one.name, one.control, one.mean.steps[-1]) for one in curves.curves] == [
        ("plain", None, 56),
        ("good", 0, 56),
        ("bad", 0, 56),
        ("same", 0, 56),
    ]


def test_what_means_nothing_is_absent_with_the_reason(tmp_path: Path) -> None:
    found = planted(tmp_path, {"plain": 0.0, "good": 1.0}, seeds=1, rows=6, steps=3)
    for cell in found.cells:
        (ComparisonFolder(tmp_path).cell(cell.arm, cell.seed) / "run" / "logs" / "consumed.jsonl").unlink()
    page = comparison_page(replace(found, cells=[replace(cell, rows=80) for cell in found.cells]))
    absent = dict(page.absent())
    assert absent["exact_answer against rows"] == "all arms trained on as many rows, 80"
    assert "cannot be read" in absent["the learning curve of good"]
    forest = page.figures()[0]
    assert isinstance(forest.chart, Forest)
    assert forest.chart.differing[0].told.endswith("no interval")
    assert "1 without an interval" in forest.meaning
    (table,) = blocks(page, "Verdicts", Table)
    assert str(table.rows[1][4]).startswith("none: ")


def test_where_every_arm_failed_there_is_a_page_still(tmp_path: Path, blank: None) -> None:
    failing = [(name, seed) for name in ("plain", "good") for seed in range(3)]
    found = planted(tmp_path, {"plain": 0.0, "good": 1.0}, failing=failing)
    page = comparison_page(found)
    assert page.figures() == []
    assert {"learning curves", "differences in loss", "exact_answer against tokens"} <= dict(page.absent()).keys()
    assert page.verdict is not None
    assert page.verdict.tone == "bad"
    write_comparison(found)
    assert (tmp_path / "comparison.html").exists()


def test_what_a_teacher_took_is_told_apart(found: Comparison) -> None:
    took, taught = blocks(comparison_page(found), "What each arm took", Table)
    assert [row[0] for row in took.rows] == ["plain", "good", "bad", "same"]
    assert took.rows[1] == ("good", "180", "60,200", "58", "0.5", "31.0", "-", "2.0")
    assert taught.rows == [("same", "good", "60,200", "31.0")]


def test_failures_and_methods_are_shown(found: Comparison) -> None:
    page = comparison_page(found)
    (table,) = blocks(page, "Failed", Table)
    assert sorted(row[:2] for row in table.rows) == sorted((arm, str(seed)) for arm, seed in FAILING)
    methods = {one.title: one.text for one in blocks(page, "Arms", Code)}
    assert list(methods) == list(CHANCES)
    assert "teacher: good" in methods["same"]
    fine = comparison_page(planted(found.folder / "fine", {"a": 0.0, "b": 0.0}))
    assert "Failed" not in [one.title for one in fine.sections]


def test_steps_are_smoothed_by_the_mean_over_tokens() -> None:
    rng = np.random.default_rng(0)
    tokens, losses = rng.integers(1, 50, 40).astype(float), rng.random(40)
    for window in (1, 3, 9):
        half = window // 2
        plain = []
        for step in range(40):
            near = slice(max(0, step - half), step + half + 1)
            plain.append((losses[near] * tokens[near]).sum() / tokens[near].sum())
        np.testing.assert_allclose(smoothed(losses * tokens, tokens, window), plain)


def test_runs_of_a_sequence_come_in_their_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        (tmp_path / f"run-{number}").mkdir()
    (tmp_path / "run-x").mkdir()
    assert [path.name for path in run_folders(tmp_path)] == ["run-1", "run-2", "run-10"]
    found = planted(tmp_path / "c", {"plain": 0.0, "stream": 0.0}, steps=40)
    for seed in range(3):
        folder = ComparisonFolder(found.folder).cell("stream", seed)
        (folder / "run").rename(folder / "run-1")
        copy = folder / "run-2" / "logs"
        copy.mkdir(parents=True)
        (copy / "consumed.jsonl").write_bytes((folder / "run-1" / "logs" / "consumed.jsonl").read_bytes())
    chart = comparison_page(found).figures()[-1].chart
    assert isinstance(chart, Curves)
    assert (chart.curves[1].mean.steps[-1], chart.curves[1].begins) == (72, (40,))


class Tags(HTMLParser):
    """Holds the tags of a page and the names of their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


@pytest.mark.parametrize("place", range(len(HOSTILE)))
def test_names_and_errors_of_others_are_text(place: int, tmp_path: Path, blank: None) -> None:
    text = HOSTILE[place]
    seen = []
    for name in ("x" * 30, text):
        folder = tmp_path / str(len(seen))
        found = planted(folder, {"plain": 0.0, name: 1.0}, seeds=2, rows=40, failing=[(name, 0)], error=name)
        write_comparison(replace(found, about={**found.about, "model": name, "held_out": name}))
        html = (folder / "comparison.html").read_text()
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", html)
        # Where names are broken is the same to the browser as what they are.
        seen.append([tag for tag in Tags(html).found if tag[0] not in ("wbr", "span")])
    assert seen[0] == seen[1]
    assert "script" not in dict(seen[1])


def test_the_same_comparison_is_the_same_bytes(found: Comparison, blank: None) -> None:
    write_comparison(found)
    first = snapshot(found.folder)
    assert {"comparison.html", "comparison.md", "comparison.json", "comparison.arrow"} < first.keys()
    assert sum(name.startswith("comparison.figures/") for name in first) == 5
    write_comparison(found)
    assert snapshot(found.folder) == first
    assert str(found.folder) not in first["comparison.html"].decode()


def test_without_the_extra_one_notice_is_told_and_no_page_of_before_stays(
    found: Comparison, blank: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_comparison(found)
    assert (found.folder / "comparison.figures").is_dir()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    notices: list[str] = []
    write_comparison(found, notice=notices.append)
    assert len(notices) == 1
    assert "pip install 'sage-select[report]'" in notices[0]
    assert sorted(snapshot(found.folder)) == [
        "comparison.arrow",
        "comparison.json",
        "comparison.md",
    ]
    assert not [path for path in found.folder.iterdir() if "tmp" in path.name or "figures" in path.name]
    assert json.loads((found.folder / "comparison.json").read_text())["rows_evaluated"] == 300


class Failing(Files):
    """Files of which the operations fail after some."""

    def __init__(self, after: int) -> None:
        self.left = after

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(28, "No space left on device")

    def create(self, path: Path) -> BinaryIO:
        self._count()
        return super().create(path)

    def make_folder(self, path: Path) -> None:
        self._count()
        super().make_folder(path)

    def rename(self, old: Path, new: Path) -> None:
        self._count()
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        self._count()
        super().remove(path)


class Full(Files):
    """Files of which none can be created."""

    def create(self, path: Path) -> BinaryIO:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("page", [Written("<p>new", {"b.png": b"new"}), None], ids=["page", "no page"])
def test_files_are_those_of_one_comparison_wherever_writing_fails(
    page: Written | None, found: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = found, replace(found, tokens=1234)
    pages = {before.tokens: Written("<p>old", {"a.png": b"old"}), after.tokens: page}
    monkeypatch.setattr(write_module, "_page", lambda one, _: pages[one.tokens])
    expected = []
    for one in (after, before):
        write_comparison(one)
        expected.append(snapshot(found.folder))
    new, old = expected
    seen = set()
    for count in range(60):
        try:
            write_comparison(after, files=Failing(count))
            # Old figures that could not be removed are swept by the next.
            assert {name: one for name, one in snapshot(found.folder).items() if "tmp-" not in name} == new
            break
        except OSError:
            # What was begun is completed by whoever writes next, though that one gets no further; else it is swept.
            with pytest.raises(OSError, match="space"):
                write_comparison(after, files=Full())
            is_new = snapshot(found.folder) == new
            assert is_new or snapshot(found.folder) == old
            assert not [one for one in found.folder.iterdir() if "tmp-" in one.name]
            seen.add(is_new)
            write_comparison(before)
            assert snapshot(found.folder) == old
    assert seen == {True, False}


def test_what_others_put_in_the_place_of_figures_is_refused(found: Comparison, blank: None) -> None:
    write_comparison(found)
    names = ComparisonNames.of(found.folder)
    check_replaceable(found.folder)
    (names.figures / "mine.txt").write_text("mine")
    before = snapshot(found.folder)
    for _ in range(2):
        with pytest.raises(OutputError, match="other things than figures"):
            write_comparison(replace(found, tokens=1))
    assert snapshot(found.folder) == before
    (names.figures / "mine.txt").unlink()
    names.page.unlink()
    names.page.mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_replaceable(found.folder)
