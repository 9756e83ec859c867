"""The places of keys and values in TOML: those of every value that the library reads, and no other."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.pipeline.spec.places import KeyPath
from sage_select.pipeline.spec.toml_places import toml_places

TEXT = """\
# a comment = with [things] in it
title = "a # no comment" # one
"quoted key".'and another' = 1
long = \"\"\"
two \\" lines = [x]""\"\"\"
plain = '''it's
'' [[x]]'''
when = 1979-05-27 07:32:00Z

[a.b]
list = [ 1, "]", [2,
  3], # three
  {x = {y = "}"}, 'z'=''}, ]
[[a.items]]
name = "first"
[[a.items.inner]]
deep = true
[[a.items]]
\tname = "second"
  [a.items.table]
  value = -inf
"""


def leaves(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        yield path
        return
    for name, child in children:
        yield from leaves(child, (*path, name))


def rest_of(text: str, line: int, column: int) -> str:
    return text.split("\n")[line - 1][column - 1 :]


def test_every_value_has_its_place() -> None:
    found = toml_places(TEXT)
    assert set(found.values) == set(leaves(tomllib.loads(TEXT)))
    starts = {path: rest_of(TEXT, *place) for path, place in found.values.items()}
    assert starts[("title",)].startswith('"a #')
    assert starts[("quoted key", "and another")] == "1"
    assert starts[("long",)] == '"""'
    assert starts[("when",)].startswith("1979")
    assert starts[("a", "b", "list", 2, 1)].startswith("3]")
    assert starts[("a", "b", "list", 3, "x", "y")].startswith('"}"')
    assert starts[("a", "items", 1, "name")] == '"second"'
    assert starts[("a", "items", 1, "table", "value")] == "-inf"
    keys = {path: rest_of(TEXT, *place) for path, place in found.keys.items()}
    assert keys[("a", "items", 0, "inner", 0, "deep")] == "deep = true"
    assert keys[("a", "items", 1, "table")].startswith("table]")
    assert keys[("a", "items", 1)] == "items]]"
    assert found.of(("a", "items", 1, "none", 3)) == found.keys["a", "items", 1]
    assert toml_places("").of(("a",)) is None


NAMES = st.sampled_from(["a", "b-c", "1", '"d e"', "'f.g'", '"\\u00e9"'])
SCALARS = st.sampled_from(
    [
        "1",
        "-1.5e3",
        "true",
        '"x"',
        '"a\\"]"',
        "'#'",
        '"""a\n"b" ""\\"\n"""',
        "'''\n'x'\n'''",
        "07:32:00",
        "2001-01-01 00:00:00",
    ]
)
BLANKS = st.sampled_from(["", " ", "\t"])
LINES = st.sampled_from(["\n", "\n\n", " # [c] = {\n", "\r\n"])


def _list(items: list[str], blank: str, line: str) -> str:
    return "[" + f"{line}{blank},{blank}".join(items) + (line + "," if items and blank else "") + line + "]"


def _table(values: dict[str, str], blank: str) -> str:
    return "{" + ",".join(f"{blank}{name}{blank}={blank}{value}{blank}" for name, value in values.items()) + "}"


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(_list, st.lists(inner, max_size=3), BLANKS, LINES),
        st.builds(_table, st.dictionaries(NAMES, inner, max_size=3), BLANKS),
    ),
    max_leaves=6,
)
PAIRS = st.lists(st.tuples(NAMES, VALUES, BLANKS, LINES), max_size=4)
TABLES = st.lists(st.tuples(st.sampled_from(["[{}]", "[[{}]]", "[ {} . x ]", "[[{}.y]]"]), NAMES, PAIRS), max_size=4)


@settings(deadline=None)
@given(PAIRS, TABLES)
def test_documents_of_any_spelling(top: list[Any], tables: list[Any]) -> None:
    text = ""
    for header, pairs in [("", top), *((form.format(name) + "\n", pairs) for form, name, pairs in tables)]:
        for part in [header, *(f"{blank}{name}{blank}={blank}{value}{line}" for name, value, blank, line in pairs)]:
            try:
                tomllib.loads(text + part)
            except tomllib.TOMLDecodeError:
                continue
            text += part
    found = toml_places(text)
    assert set(found.values) == set(leaves(tomllib.loads(text)))
    starts = [rest_of(text, *place) for place in found.values.values()]
    assert all(start[:1] not in ("", " ", "\t", "=", "[", "{", ",") for start in starts)
