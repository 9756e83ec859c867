"""What must stay in a text is found, in any text, and missed when it is changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.rewriting import protected_spans, violation


def found(text: str, *kept: str) -> list[str]:
    return [text[one.start : one.end] for one in protected_spans(text, kept)]


@pytest.mark.parametrize(
    ("text", "kept", "expected"),
    [
        ("Natalia sold 48 clips for $5, 1,234.56% at 12:30pm on 2024-01-05", (), "48 $5 1,234.56% 12:30pm 2024-01-05"),
        ("-5 or 3-5, 2*3+4=10", (), "-5 3-5 2*3+4=10"),
        ("run `ls -l` in /etc/hosts and a.b.c", (), "`ls|-l` /etc/hosts a.b.c"),
        ("say 'well done', it's \"fine\" and “so”", (), "'well|done' \"fine\" “so”"),
        ("fill {name}, {{x}}, <b>this</b> and [USER]", (), "{name} {{x}} <b> </b> [USER]"),
        ("ask me@x.org or https://a.b/c?d=e now", (), "me@x.org https://a.b/c?d=e"),
        ("call get_weather, fooBar, f(x, y) or NASA", (), "get_weather fooBar f(x,|y) NASA"),
        ("let $a+b$ be \\(c\\), at $5 and $6", (), "$a+b$ \\(c\\) $5 $6"),
        ("fly to new york, Yorkshire and New York-bound", ("New York",), "new|york New|York"),
        ("请帮我预订北京的酒店3晚", ("北京",), "北京 3"),
        ("```\nx = 1\n``` and on", (), "```\nx|=|1\n```"),
        ("nothing here, you know", (), ""),
    ],
)
def test_what_must_stay_is_found(text: str, kept: tuple[str, ...], expected: str) -> None:
    assert found(text, *kept) == [one.replace("|", " ") for one in expected.split(" ") if one]


@pytest.mark.parametrize(
    ("before", "after", "kept", "reason"),
    [
        ("Add 3 and 4.", "Sum 4 and 3.", (), None),
        ("Add 3 and 3.", "Add 3.", (), "another number"),
        ('say "yes"', 'say "no"', (), "another quotation"),
        ("run `a`", "run `b`", (), "other code"),
        ("go to {x}", "go to x", (), "another placeholder"),
        ("see http://a.b", "see http://a.c", (), "another address"),
        ("a table in Rome", "a table in rome", ("Rome",), "another name of a tool, or value of an argument"),
        ("use my_tool", "use my_tools", (), "another name"),
        ("let $x$ be", "let $y$ be", (), "another formula"),
    ],
)
def test_what_is_said_otherwise_is_named(before: str, after: str, kept: tuple[str, ...], reason: str | None) -> None:
    assert violation(before, after, kept) == reason


@given(
    st.text(st.sampled_from("ab1 _-.,'\"`{}<>$\\()[]/@#“”\n京ß"), max_size=60),
    st.lists(st.text(max_size=5), max_size=3),
)
def test_any_text_has_spans_apart_and_in_order_and_is_no_violation_of_itself(text: str, kept: list[str]) -> None:
    spans = protected_spans(text, kept)
    ends = [place for one in spans for place in (one.start, one.end)]
    assert ends == sorted(ends)
    assert all(one.start < one.end <= len(text) for one in spans)
    assert violation(text, text, kept) is None


@pytest.mark.parametrize(
    "part", ["a", ".", "“", "`", "{", "$", "<a", "a.", "'a", "-", "a_", '"', "\\(", "a@", "a(", "1,"]
)
def test_no_text_takes_long(part: str) -> None:
    # Whatever grows with the square of a text would take hours.
    protected_spans(part * 100_000)
