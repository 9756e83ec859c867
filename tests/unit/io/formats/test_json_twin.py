"""The reader says what its plain twin says, of any lines, in chunks of any size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.json_twin import twin

from sage_select.errors import DataError
from sage_select.io import Rows, read
from sage_select.io.formats import json_table

NAME = st.sampled_from(
    ["a", "b", "messages", "role", "content", "value", "tools", "arguments", "parameters", "item", "é"]
)
SPELLED = ['{"x": 1}', '{"arguments": "{}"}', '{"y": 1e999}', "{bad", " [1]", '{"z": 123456789012345678901}']
SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**53 + 1, 2**60, -(2**63), 2**63 - 1, 0.5, 1e22, 1e-7, -0.0, 5e-324]),
    st.sampled_from(["", "x", 'say "so"\n', "\u2028\x7f\u00e9\U0001f600", *SPELLED]),
)
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3), max_leaves=8
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "tool"])},
        optional={"content": SCALAR | VALUE, "name": st.none() | st.just("n"), "tool_calls": VALUE},
    ),
    max_size=3,
)
ROW = st.one_of(
    st.dictionaries(NAME, VALUE, max_size=4),
    st.fixed_dictionaries({"a": st.integers(0, 9)}, optional={"b": st.floats(allow_nan=False, allow_infinity=False)}),
    st.fixed_dictionaries({"messages": MESSAGES}, optional={"tools": VALUE}),
)
ODD = st.sampled_from(
    [
        b"",
        b"  ",
        b"\x0b",
        b"{}",
        b"null",
        b"[1]",
        b"{",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "\\u0062": 2}}',
        b'{"a": NaN}',
        b'{"a": 01}',
        b'{"a": 1.}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\ud83d\\ude00 \\/ \\u00e9"}',
        b'{"a": "\xe9"}',
        b'{"a": "\t"}',
        b'{"": 1}',
        b'{"a": 1e999}',
        b'{"messages": [{"role": "user", "content": {"x": 1e999}}]}',
        b'{"tools": [-1e999, "Infinity"]}',
        b'{"a": 9223372036854775808}',
        b'{"tools": [9223372036854775808, -0]}',
        b'{"messages": [{"content": {"n": 123456789012345678901234}}]}',
        b'{"a": -0, "b": -0.0}',
        b'{"a": 1} x',
        b'\t{"a" :\r1 , "b":[ ] }  ',
        b"[" * 200,
        b'{"a":' + b"[" * 127 + b"]" * 127 + b"}",
        b'{"a":' + b"[" * 128 + b"]" * 128 + b"}",
        b'{"tools":' + b"[" * 128 + b"]" * 128 + b"}",
        b'{"arguments": "{\\"arguments\\": \\"{}\\"}"}',
        b'{"tools": {"arguments": "{\\"n\\": 1.50}", "x": {"arguments": "[]"}}}',
    ]
)
LINE = st.one_of(
    ROW.map(lambda row: json.dumps(row, ensure_ascii=False).encode()),
    ROW.map(lambda row: json.dumps(row).encode()),
    ODD,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twin")


def outcome(made: Any) -> Any:
    """Return what is compared of a table with its bad rows and notices."""
    table, bad, notices = made
    shown = {row: str(error) for row, error in sorted(bad.items())}
    return table.schema.to_string(show_field_metadata=True), table.to_pylist(), shown, notices


@settings(deadline=None, max_examples=400)
@given(lines=st.lists(LINE, min_size=1, max_size=6), chunk=st.sampled_from([1, 50, 1 << 24]))
def test_reads_what_the_twin_reads(lines: list[bytes], chunk: int, folder: Path) -> None:
    path = folder / "rows.jsonl"
    path.write_bytes(b"\n".join([b'{"a": 1}', *lines]))
    expected = twin(path.read_bytes(), str(path))
    bad_rows: dict[int, DataError] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_table, "CHUNK_BYTES", chunk)
        patch.setattr(json_table.BadRows, "add", lambda self, row, error: bad_rows.setdefault(row, error))
        found = attempt(path)
    if isinstance(expected, DataError) or isinstance(found, DataError):
        assert str(found) == str(expected)
        return
    table, bad, notices = expected
    assert outcome((found.table, bad_rows, found.notices)) == outcome((table, bad, notices))


def attempt(path: Path) -> Rows | DataError:
    try:
        return read(path, with_bad_rows=True)
    except DataError as error:
        return error
