"""Laws of rows in other words, on any rows: what must stay does, ids are unique, and no row depends on others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

import sage_select
from sage_select.render import detect_shape, to_example
from sage_select.rewriting import violation

few = settings(max_examples=40, deadline=None)
words = st.text(st.sampled_from("abc défg not Ж京 1'\".,?{}_\n\t😀"), max_size=40) | st.text(max_size=30)
value = words | st.integers(-5, 5) | st.lists(st.sampled_from(["abc", "x y"]), max_size=2)
call = st.builds(lambda argument: {"function": {"name": "do_it", "arguments": {"a": argument}}}, value)
turn = st.one_of(
    st.builds(lambda text: {"role": "system", "content": text}, words),
    st.builds(lambda text: {"role": "user", "content": text}, words),
    st.builds(lambda text: {"role": "assistant", "content": text}, words),
    st.builds(lambda text, one: {"role": "assistant", "content": text, "tool_calls": [one]}, words, call),
    st.builds(lambda text: {"role": "tool", "content": text}, words),
)
chat = st.builds(
    lambda turns: {"messages": [*turns, {"role": "assistant", "content": "so"}]}, st.lists(turn, max_size=4)
)
two_parts = st.builds(lambda question: {"question": question, "answer": "so"}, words)


def augmented(rows: list[dict[str, Any]], seed: int, **more: Any) -> pa.Table:
    return sage_select.select(
        rows, k=len(rows), dedup="none", strategy="random", augment="rules", augment_rate=0.5, seed=seed, **more
    ).table()


@given(
    rows=st.lists(chat, min_size=1, max_size=5) | st.lists(two_parts, min_size=1, max_size=5),
    seed=st.integers(0, 3),
    whole=st.booleans(),
)
@few
def test_any_rows_keep_what_must_stay(rows: list[dict[str, Any]], seed: int, whole: bool) -> None:
    table = augmented(rows, seed, augment_factor=2, augment_part="all" if whole else "user")
    ids = table["sage_row_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    shape = detect_shape(table.schema)
    found = dict(zip(ids, table.to_pylist(), strict=True))
    assert sum(row["sage_origin"] == "selected" for row in found.values()) == len(rows)
    for row in found.values():
        if row["sage_parent_id"] is None:
            continue
        made, parent = (to_example(one, shape) for one in (row, found[row["sage_parent_id"]]))
        assert len(made.messages) == len(parent.messages)
        assert made.messages != parent.messages
        for one, other in zip(made.messages, parent.messages, strict=True):
            assert {**one, "content": ""} == {**other, "content": ""}
            free = one["role"] == "user" or (whole and one["role"] == "assistant" and not one.get("tool_calls"))
            assert free or one["content"] == other["content"]
            assert violation(other["content"], one["content"]) is None


@given(rows=st.lists(two_parts, min_size=2, max_size=6), seed=st.integers(0, 3), order=st.integers(0, 99))
@few
def test_no_row_depends_on_others_or_their_order(rows: list[dict[str, Any]], seed: int, order: int) -> None:
    names = [f"q{row}" for row in range(len(rows))]
    named = [{"id": name, **row} for name, row in zip(names, rows, strict=True)]

    def made(some: list[dict[str, Any]]) -> dict[str, str]:
        table = augmented(some, seed, id_column="id")
        return dict(zip(table["sage_row_id"].to_pylist(), table["question"].to_pylist(), strict=True))

    whole = made(named)
    turned = [named[place] for place in np.random.default_rng(order).permutation(len(named))]
    assert made(turned) == whole
    # One alone says the same, but where another row says it already.
    alone = made(named[:1])
    assert all(whole.get(name, text) == text for name, text in alone.items())
