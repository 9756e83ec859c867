from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.errors import UsageError
from sage_select.render.template import parse_template


def test_literals_and_fields_alternate() -> None:
    parsed = parse_template("{{x}} {a}\\n\\t\\\\n{b}\n")
    assert parsed.literals == ("{x} ", "\n\t\\n", "\n")
    assert parsed.fields == ("a", "b")


@pytest.mark.parametrize("text", ["}", "{a} {", "{a} }", "{a}{{{"])
def test_a_lone_brace_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="belongs to no field"):
        parse_template(text)


def test_an_empty_field_is_no_field() -> None:
    with pytest.raises(UsageError):
        parse_template("{}")


@given(st.lists(st.text(), min_size=2, max_size=5))
def test_any_literal_text_can_be_written(literals: list[str]) -> None:
    def escape(text: str) -> str:
        return text.replace("\\", "\\\\").replace("{", "{{").replace("}", "}}")

    parsed = parse_template("{a b}".join(map(escape, literals)))
    assert parsed.literals == tuple(literals)
    assert parsed.fields == ("a b",) * (len(literals) - 1)
