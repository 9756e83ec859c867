from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.io.tables import strict_json
from sage_select.io.tables.strict_json import MAX_DEPTH, StrictJsonError, decode, encode


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NaN", "NaN is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' is given twice"),
        ('[{"b": {"a": 1, "a": 1}}]', "'a' is given twice"),
        ('"\\ud800"', "half of a surrogate pair"),
        ('{"\\uDC00": 1}', "half of a surrogate pair"),
        ("9223372036854775808", "9223372036854775808 does not fit into 64 bits"),
        ("[-9223372036854775809]", "does not fit into 64 bits"),
        ("1" * 5000, "does not fit into 64 bits"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested deeper"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "nested deeper"),
        ('{"a": 1} x', "more text after the value"),
        ('{"a": 1', "not JSON"),
        ('"a\tb"', "not JSON"),
        ("", "not JSON"),
        ("01", "more text"),
        ("\u00a01", "not JSON"),
    ],
)
def test_what_is_not_strict_is_refused(text: str, said: str) -> None:
    with pytest.raises(StrictJsonError, match=said):
        decode(text)


def test_the_edges_of_what_is_allowed() -> None:
    assert decode("9223372036854775807") == 2**63 - 1
    assert decode("-9223372036854775808") == -(2**63)
    assert decode('"\\ud83d\\ude00 \u2028\u0085\\u0000"') == "\U0001f600 \u2028\u0085\x00"
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert encode(decode(deep)) == deep
    brackets_in_strings = json.dumps(["[" * 500, '"[\\'])
    assert decode(brackets_in_strings) == json.loads(brackets_in_strings)


def test_a_position_is_known_for_syntax() -> None:
    with pytest.raises(StrictJsonError) as caught:
        decode('{"a": }')
    assert caught.value.position == 6


def test_encode_refuses_what_is_not_finite() -> None:
    with pytest.raises(StrictJsonError):
        encode([float("inf")])


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


@settings(deadline=None, max_examples=60)
@given(value=_JSON)
def test_decode_is_the_inverse_of_encode(value: object) -> None:
    assert decode(encode(value)) == value


@settings(deadline=None, max_examples=300)
@given(text=st.text(alphabet='{}[]",:0123456789.eE+-truefalsn\\ud8 \n'))
def test_it_accepts_no_more_than_the_standard_library(text: str) -> None:
    try:
        value = decode(text)
    except StrictJsonError:
        return
    assert json.loads(text) == value


def test_the_fast_scanner_is_used() -> None:
    assert type(strict_json._DECODER.scan_once).__name__ == "Scanner"
