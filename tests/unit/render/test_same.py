"""Rows that say the same are the same text."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select import io
from sage_select.render import detect_shape, same_texts


def texts(*rows: dict[str, object]) -> list[str]:
    table = io.from_object(list(rows)).table
    return said(table, detect_shape(table.schema).columns)


def said(table: pa.Table, columns: Sequence[str]) -> list[str]:
    return same_texts(table, columns).to_pylist()


def plain(text: str) -> str:
    """The definition, character by character."""
    spaces = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85"
    words = "".join(
        " " if c in spaces or unicodedata.category(c) in ("Zs", "Zl", "Zp") else c
        for c in unicodedata.normalize("NFC", text)
    )
    return " ".join(word for word in words.split(" ") if word)


@settings(deadline=None)
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


def test_typed_parts_of_text_are_the_text() -> None:
    def said(*contents: object) -> dict[str, object]:
        roles = ["user", "assistant", "tool"]
        return {"messages": [{"role": role, "content": text} for role, text in zip(roles, contents, strict=False)]}

    def part(text: str) -> dict[str, str]:
        return {"type": "text", "text": text}

    plain, typed, several, image, other = texts(
        said('say "so"', "a\\b"),
        said([part("say "), part('"so"')], [part(" a\\b")]),
        said('say "so"', ["a", "\\b"]),
        said([part('say "so"'), {"type": "image", "url": "x"}], "a\\b"),
        said("say so", [part("a\\b")]),
    )
    assert plain == typed == several
    assert len({plain, image, other}) == 3
    # All typed, as a table of its own and as JSON text.
    [alone] = texts(said([part('say "so"')], [part("a\\b")]))
    [spelled] = texts({"messages": json.dumps(said([part('say "so"')], [part("a\\b")])["messages"])})
    assert plain == alone == spelled


def test_parts_outside_messages_count() -> None:
    def called(query: object) -> dict[str, object]:
        call = {"function": {"name": "find", "arguments": {"content": query}}}
        return {"messages": [{"role": "assistant", "content": "", "tool_calls": [call]}]}

    one, another = texts(called("a"), called([{"type": "text", "text": "a"}]))
    assert one != another


def test_the_width_of_letters_counts_and_the_kind_of_white_space_does_not() -> None:
    narrow, wide, half, spaced, ideographic = texts(
        {"text": "ABC"}, {"text": "\uff21\uff22\uff23"}, {"text": "ｶﾞ"}, {"text": "我 们"}, {"text": "我\u3000们\u2029"}
    )
    assert len({narrow, wide, half}) == 3
    assert spaced == ideographic
    assert texts({"text": "ガ"}) == texts({"text": "カ\u3099"}) != [half]
