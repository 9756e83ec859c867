"""Pages: text of others is text, the same page is the same bytes, and nothing is asked for."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from sage_select.errors import ResourceError
from sage_select.report.blocks import Absent, Code, Figure, Page, RowText, Section, Table, Text, Verdict, Word
from sage_select.report.charts.bars import Remaining, Step
from sage_select.report.charts.beside import Beside, Measured
from sage_select.report.charts.chart import drawn
from sage_select.report.charts.curves import Curve, Curves, Line
from sage_select.report.charts.forest import Differs, Forest
from sage_select.report.charts.histogram import Histogram
from sage_select.report.charts.levels import Level, Levels
from sage_select.report.charts.shares import Share, Shares
from sage_select.report.charts.space import Space
from sage_select.report.page import written
from sage_select.report.text import shown

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'--></style></title></textarea><script>alert(1)</script>",
    "{{ 7 * 7 }} {% raw %} ${7*7} </bdi><bdi>",
    "javascript:alert(1) data:text/html,<b>",
    "\u202egnp.exe\u2066 hidden \u2069",
    "nul \x00 bell \x07 escape \x1b[31m",
    "\ufeff\ufffe\U000e0041 tag",
    "שלום עולם مرحبا بالعالم",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪 漢字 naïve $x^2$ a_b",
    "x" * (1 << 20),
    "",
]
CHARTS = {
    "curves": Curves(
        [
            Curve("$a$ <b>", Line([1, 2], [2.0, 1.0]), [Line([1, 2], [2.0, 1.0])], None, (1,)),
            Curve("b", Line([1], [2.0]), [], 0, ()),
        ],
        "loss",
    ),
    "forest": Forest(
        [
            Differs("$a$ <b>", 0.5, (0.1, 0.9), "good", "+0.5"),
            Differs("b", -0.5, None, "bad", "-0.5, no interval"),
            Differs("c" * 99, None, None, "plain", "failed"),
        ],
        "score",
        higher=False,
    ),
    "levels": Levels(
        [
            Level("$a$ <b>", [(10.0, 0.5), (11.0, 0.5)], "plain", control=True),
            Level("b", [(1000.0, 0.5)], "good", control=False),
        ],
        "rows",
        "score",
        0.1,
        (10.0, "budget"),
    ),
    "bars": Remaining(("read", 10), [Step("select: $a$ <b>", 10, 4)], ("kept", 4)),
    "beside": Beside([Measured("coverage", 0.5, 0.1, 0.2, 0.3, 1, "0.500"), Measured("radius", 1, 1, 1, 1, -1, "1")]),
    "histogram": Histogram([0.0, 1.0, 2.0], [0.5, 0.5], [0.1, 0.9], ([0.4, 0.4], [0.5, 0.5], [0.6, 0.6]), "score"),
    "shares": Shares([Share(text[:200], 0.5, 0.25) for text in HOSTILE]),
    "space": Space(
        np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32),
        np.zeros((3, 2), np.float32),
        [("1", 0.0, 0.0)],
        ("first", "second"),
    ),
}


class Reader(HTMLParser):
    """Holds what a page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "wbr":  # where a name may be broken
            self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(text: str) -> Page:
    blocks: list[Any] = [
        Text(text),
        Verdict(text, "bad"),
        Absent(text, text or "none"),
        Table(
            (text or "a", "b"), [(text, RowText(text)), (RowText(None), RowText(text, 3))], text, frozenset({1}), True
        ),
        Table((text or "a",), [(Word(text, "good", text or "-"),)], wide=True),
        Code(f"{text}\n{text}", text, text),
        Figure("one", CHARTS["bars"], text, text),
    ]
    return Page(text, text, [(text, text)], Verdict(text), [Section(text, text, blocks)], [text])


@pytest.mark.parametrize("place", range(len(HOSTILE)))
def test_text_of_others_is_text(place: int, blank: None) -> None:
    plain, found = (Reader(written(page_of(text)).html) for text in ("plain", HOSTILE[place]))
    if HOSTILE[place]:
        assert found.tags == plain.tags
        names = [(tag, name) for tag, name, _ in plain.attributes]
        assert [(tag, name) for tag, name, _ in found.attributes] == names
    assert not {"script", "iframe", "object", "form"} & set(found.tags)
    assert not any(name.startswith("on") or name == "style" for _, name, _ in found.attributes)


def test_what_is_hidden_in_text_is_spelt_out(blank: None) -> None:
    html = "".join(written(page_of(text)).html for text in HOSTILE)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\u200e\u200f\ufeff\ufffe]", html)
    assert "\\u202egnp.exe" in html
    assert "\\x00" in html
    assert "👩\u200d👩\u200d👧\u200d👦" in html
    assert "שלום עולם مرحبا بالعالم" in html
    assert "(1,048,576 characters)" in html
    assert "x" * 3000 not in html


def test_the_policy_allows_the_style_and_nothing_else(blank: None) -> None:
    html = written(page_of("words")).html
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert policy is not None
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1].replace("&#39;", "'") == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"(?:src|href|srcset)=\"(?!data:|#)", html)
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_a_page_can_be_read_by_those_who_do_not_see_it(blank: None) -> None:
    found = Reader(written(page_of("words")).html)
    assert ("html", "lang", "en") in found.attributes
    assert [tag for tag in found.tags if tag in ("h1", "h2")] == ["h1", "h2"]
    assert ("img", "alt", "words") in found.attributes
    assert ("th", "scope", "col") in found.attributes
    assert {"header", "nav", "main", "footer", "caption", "figcaption"} <= set(found.tags)


@pytest.mark.parametrize("name", CHARTS)
def test_charts_are_drawn_alike_twice(name: str) -> None:
    first = drawn(CHARTS[name])
    if name in ("shares", "space"):  # one of each kind
        assert first == drawn(CHARTS[name])
    assert first.png.startswith(b"\x89PNG")
    assert b"matplotlib" not in first.png.lower()
    for image in first.images.values():
        assert image.startswith(b"\x89PNG" if CHARTS[name].dense else b"<?xml")
        assert b"<script" not in image
        assert b"<dc:date" not in image
    assert len(set(first.images.values())) == 4


def test_no_setting_of_the_user_reaches_a_chart() -> None:
    import matplotlib

    first = drawn(CHARTS["bars"]).png
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9, "savefig.transparent": True}):
        assert drawn(CHARTS["bars"]).png == first
        assert matplotlib.rcParams["font.size"] == 30


def test_two_figures_of_one_name_are_a_mistake(blank: None) -> None:
    figure = Figure("one", CHARTS["bars"], "", "")
    with pytest.raises(ValueError, match="one"):
        written(Page("", "", sections=[Section("", "", [figure, figure])]))


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_without_the_extra_it_says_how_to_get_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(ResourceError, match=r"sage-select\[report\]"):
        written(page_of("words"))


def test_text_is_cut_where_it_is_long() -> None:
    assert shown("abc", 3) == "abc"
    assert shown("abcd", 3) == "abc… (4 characters)"
    assert shown("a" + "\u0301" * 9, 100) == "a" + "\u0301" * 9
