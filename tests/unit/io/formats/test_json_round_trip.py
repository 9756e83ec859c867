"""JSON rows -> Arrow -> JSON rows gives the same values, whatever they are and however they are batched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.errors import DataError
from sage_select.io import decode_rows, read, write
from sage_select.io.commit.files import Files
from sage_select.io.formats import json_table

_KEYS = st.sampled_from(["a", "b", "c", "role", "content", "arguments", "tools", "parameters", "", "ключ"])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | st.sampled_from(['{"x": 1}', "{}", "[1]", "{broken", "\u2028", "\x85", "\x00"])
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
_ROWS = st.lists(st.dictionaries(_KEYS.filter(bool), _VALUES, max_size=4), min_size=1, max_size=6).filter(any)
# Columns of one type, as real rows have them: this finds what random types rarely reach.
_MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"])},
        optional={
            "content": st.none() | st.text(max_size=3) | st.lists(st.fixed_dictionaries({"text": st.text(max_size=2)})),
            "tool_calls": st.none()
            | st.lists(
                st.fixed_dictionaries(
                    {"name": st.text(max_size=2), "arguments": st.dictionaries(_KEYS, _SCALARS, max_size=2) | _SCALARS},
                    optional={"id": st.none() | st.text(max_size=2)},
                ),
                max_size=2,
            ),
        },
    ),
    max_size=3,
)
_CHATS = st.lists(
    st.fixed_dictionaries(
        {"messages": _MESSAGES},
        optional={
            "score": st.none() | st.floats(-1e6, 1e6) | st.integers(0, 9),
            "tools": st.lists(st.dictionaries(_KEYS, _VALUES, max_size=2), max_size=2) | st.text(max_size=3),
            "meta": st.none()
            | st.fixed_dictionaries({"k": st.none() | st.integers(0, 3)}, optional={"l": st.booleans()}),
        },
    ),
    min_size=1,
    max_size=8,
)


def _arguments_as_objects(value: Any) -> Any:
    """Say independently what may change: a string of arguments that spells an object becomes that object."""
    if isinstance(value, list):
        return [_arguments_as_objects(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for key, item in value.items():
        made[key] = _arguments_as_objects(item)
        if key == "arguments" and isinstance(item, str):
            try:
                spelled = json.loads(item)
            except ValueError:
                continue
            if isinstance(spelled, dict):
                made[key] = spelled
    return made


def _same(left: Any, right: Any) -> bool:
    """Equality in which true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    return (type(left) is type(right) and left == right) or (
        {type(left), type(right)} == {int, float} and left == right
    )


def _expected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = [_arguments_as_objects(row) for row in rows]
    names = dict.fromkeys(key for row in rows for key in row)
    for name in names:
        if any(name in row and row[name] is None for row in rows):
            for row in rows:
                row.setdefault(name, None)
    return rows


def _round_trip(rows: list[dict[str, Any]], folder: Path, files: Files) -> None:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    try:
        held = read(path)
    except DataError as error:
        assert "changes its type" in str(error) or "cannot hold exactly" in str(error)  # noqa: PT017
        return
    held.table.validate(full=True)
    wanted = _expected(rows)
    assert all(map(_same, decode_rows(held.table), wanted))
    for name in ("again.jsonl", "again.arrow", "again.parquet"):
        again = read(write(held.table, folder / name, {}, force=True, files=files).path)
        assert all(map(_same, decode_rows(again.table), wanted))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("round_trip")


@settings(deadline=None, max_examples=50)
@given(rows=_ROWS)
def test_any_rows_come_back(rows: list[dict[str, Any]], folder: Path, no_wait: Files) -> None:
    _round_trip(rows, folder, no_wait)


@settings(deadline=None, max_examples=50)
@given(rows=_CHATS)
def test_chats_come_back(rows: list[dict[str, Any]], folder: Path, no_wait: Files) -> None:
    _round_trip(rows, folder, no_wait)


@settings(deadline=None, max_examples=50)
@given(rows=_ROWS | _CHATS, size=st.integers(1, 200))
def test_chunks_do_not_show(rows: list[dict[str, Any]], size: int, folder: Path) -> None:
    path = folder / "batched.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def outcome() -> tuple[Any, ...]:
        try:
            held = read(path)
        except DataError as error:
            return (str(error),)
        return held.table.combine_chunks(), held.table.schema.to_string(show_field_metadata=True), held.notices

    whole = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_table, "CHUNK_BYTES", size)
        assert outcome() == whole
