"""Rows that say the same are the same text."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select import io
from sage_select.render import detect_shape, same_texts


def texts(*rows: dict[str, object]) -> list[str]:
    table = io.from_object(list(rows)).table
    return said(table, detect_shape(table.schema).columns)


def said(table: pa.Table, columns: Sequence[str]) -> list[str]:
    return [text for texts in same_texts(table, columns) for text in texts.to_pylist()]


def plain(text: str) -> str:
    """The definition, character by character."""
    spaces = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85"
    words = "".join(
        " " if c in spaces or unicodedata.category(c) in ("Zs", "Zl", "Zp") else c
        for c in unicodedata.normalize("NFC", text)
    )
    return " ".join(word for word in words.split(" ") if word)


@given(
    st.lists(
        st.text(
            st.sampled_from('abe\u0301\xe9"\\{}:,nrtu/ \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u2028\u3000\u200b\0\1\2')
        ),
        min_size=1,
        max_size=6,
    )
)
def test_texts_are_those_of_the_definition(values: list[str]) -> None:
    found = said(pa.table({"text": values}), ["text"])
    classes = {text: plain(text) for text in values}
    for text, same in zip(values, found, strict=True):
        for other, also in zip(values, found, strict=True):
            assert (same == also) == (classes[text] == classes[other])


def chat(question: str, answer: str, tool: str = "find", argument: str = "x") -> dict[str, object]:
    call = {"type": "function", "function": {"name": tool, "arguments": json.dumps({"q": argument})}}
    return {
        "tools": [{"type": "function", "function": {"name": tool}}],
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer, "tool_calls": [call]},
        ],
    }


def test_white_space_at_any_depth_does_not_count() -> None:
    one, *others = texts(
        chat("find it", "so\nit is"), chat(" find\t it ", "so it  is\n"), chat("find it", "so it is", argument=" x ")
    )
    assert others == [one, one]


@pytest.mark.parametrize(
    "other",
    [
        chat("Find it", "so it is"),
        chat("find it", "so it isn't"),
        chat("find it", "so it is", tool="seek"),
        chat("find it", "so it is", argument="y"),
        chat("findit", "so it is"),
    ],
)
def test_case_answers_tools_and_arguments_count(other: dict[str, object]) -> None:
    one, another = texts(chat("find it", "so it is"), other)
    assert one != another


def test_other_columns_do_not_count() -> None:
    one, another = texts({"text": "a b", "loss": 1, "id": "x"}, {"text": "a  b", "loss": 2, "id": "y"})
    assert one == another == '{"text":"a b"}'
