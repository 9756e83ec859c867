"""`sage-select report`, as users and browsers see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browser import LAYOUT, browser, chromium
from programs import Program

from sage_select.cli.select import main

CHARS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202eevil\u2066",
    "nul \x00",
    "👩‍👩‍👧 漢字",
    "w" * 70_000,
]


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program("sage-select report", main, capsys, monkeypatch)


@pytest.fixture
def built(folder: Path, build: Program) -> Path:
    rows = [
        {
            "text": f"{('fly to', 'cook the', 'play some')[i % 3]} {CHARS[i % len(CHARS)]} {i % 50}",
            "kind": CHARS[i % 2],
            "loss": i % 11,
        }
        for i in range(120)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = build(
        "rows.jsonl",
        "--text-column",
        "text",
        "--dedup",
        "near",
        "--quota",
        "kind=2:",
        "--score-column",
        "loss",
        "-k",
        20,
    )
    assert done.code == 0, done.err
    return folder


def test_a_page_in_a_browser(built: Path, report: Program, tmp_path_factory: pytest.TempPathFactory) -> None:
    done = report("out.arrow", "--json").json
    assert done["output"] == "out.report.html"
    assert done["bytes"] < 5_000_000
    figures = {one.name for one in (built / "out.report.figures").iterdir()}
    assert figures >= {
        "rows.png",
        "beside-random.png",
        "map.png",
        "regions.png",
        "scores.png",
        "lengths.png",
        "quotas.png",
    }
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is installed")
    backs = set()
    with browser(program, tmp_path_factory.mktemp("profile")) as page:
        for width, dark in ((1280, False), (375, True)):
            seen = page.open(built / "out.report.html", width, dark=dark)
            assert (seen.requests, seen.said) == ([], [])
            layout = page.run(LAYOUT)
            assert layout["window"] == width
            assert layout["width"] <= width
            assert layout["wide"] == []
            assert layout["scripts"] == 0
            assert len(layout["images"]) == len(figures)
            assert all(min(one) > 0 for one in layout["images"])
            backs.add(layout["back"])
    assert len(backs) == 2


def test_what_may_be_replaced(built: Path, report: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    (built / "out.report.html").write_text("mine")
    assert report("out.arrow").code == 4
    refused = report("out.arrow", "--force")
    assert refused.code == 4
    assert "--overwrite-foreign" in refused.err
    assert (built / "out.report.html").read_text() == "mine"
    assert report("out.arrow", "-o", "out.arrow").code == 2
    assert report("rows.jsonl").code == 2
    assert report("absent.arrow").code == 2
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    without = report("out.arrow", "-o", "new.html")
    assert without.code == 5
    assert "sage-select[report]" in without.err
    assert not (built / "new.html").exists()
