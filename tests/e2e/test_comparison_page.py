"""The page of a comparison, as browsers see it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from browser import LAYOUT, browser, chromium
from comparisons import planted

from sage_select.comparison.write import write_comparison
from sage_select.report import page as page_module
from sage_select.report.charts.chart import Chart, Drawn, drawn

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202eevil", "w" * 200]


def drawn_once(chart: Chart) -> Drawn:
    """Return a chart that was drawn for the desk alone, which takes a fifth of the time."""
    module = drawn.__globals__
    look, size = module["LIGHT"], module["_size"](chart, narrow=False)
    image = module["_saved"](chart, look, "svg")
    images = {(narrow, dark): image for narrow in (False, True) for dark in (False, True)}
    return Drawn(images, "image/svg+xml", b"png", size, size)


def test_a_page_in_a_browser(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is installed")
    monkeypatch.setattr(page_module, "drawn", drawn_once)
    chances = {"plain": 0.0, **dict.fromkeys(HOSTILE, 1.0)}
    found = planted(tmp_path, chances, seeds=2, rows=60, steps=8, failing=[(HOSTILE[0], 1)], error="<b>" + "x" * 500)
    write_comparison(replace(found, about={**found.about, "model": HOSTILE[1]}))
    backs = set()
    with browser(program, tmp_path_factory.mktemp("profile")) as page:
        for width, dark in ((1280, False), (821, False), (700, False), (375, True)):
            seen = page.open(tmp_path / "comparison.html", width, dark=dark)
            assert (seen.requests, seen.said) == ([], [])
            layout = page.run(LAYOUT)
            assert (layout["window"], layout["width"] <= width, layout["wide"]) == (width, True, [])
            assert (layout["scripts"], len(layout["images"])) == (0, 5)
            assert all(min(one) > 0 for one in layout["images"])
            backs.add(layout["back"])
        # At the width of a phone tables of many columns are moved within their box.
        assert page.run("[...document.querySelectorAll('.wide')].some(one => one.scrollWidth > one.clientWidth)")
    assert len(backs) == 2
