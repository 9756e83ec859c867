"""Rows held out of a selection: families whole, the same ones whatever the order, none that repeats a trained one."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.errors import DataError
from sage_select.train import TrainConfig
from sage_select.train.selection import OrderedRows, load_selection
from sage_select.train.split import roots, split


def table(rows: list[dict[str, Any]]) -> OrderedRows:
    return load_selection(rows, TrainConfig(model="m"))


def row(name: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    words = " ".join(f"{name}{number}" for number in range(12))
    return {"prompt": words, "completion": name, "sage_row_id": name, "sage_parent_id": parent, **more}


@given(
    parents=st.lists(st.none() | st.integers(0, 30), min_size=2, max_size=30),
    share=st.floats(0.01, 0.9),
    seed=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_families_are_held_out_whole_whatever_the_order(parents: list[int | None], share: float, seed: int) -> None:
    names = [f"row{number}" for number in range(len(parents))]
    own = {
        name: f"row{parent}"
        for number, (name, parent) in enumerate(zip(names, parents, strict=True))
        # Of rows before it, or of one that is not there.
        if parent is not None and not number <= parent < len(parents)
    }
    family = dict(zip(names, roots(names, own), strict=True))
    rows = [row(name, own.get(name)) for name in names]
    if len(set(family.values())) < 2:
        with pytest.raises(DataError, match="come from one"):
            split(table(rows), share)
        return
    trained, held, _ = split(table(rows), share)
    kept, out = trained.row_ids(), held.row_ids()
    assert sorted([*kept, *out]) == sorted(names), "all different, so none is left out"
    assert not {family[one] for one in kept} & {family[one] for one in out}
    assert kept == [one for one in names if one in set(kept)], "in their order"
    assert len({family[one] for one in out}) == min(
        max(1, round(share * len(set(family.values())))), len(set(family.values())) - 1
    )
    random.Random(seed).shuffle(rows)
    assert set(split(table(rows), share)[1].row_ids()) == set(out)


def test_rows_that_were_made_of_each_other_stay_together() -> None:
    ids = ["a", "b", "c", "d", "e"]
    parents = {"a": "b", "b": "c", "c": "a", "d": "a", "e": "e"}
    assert roots(ids, parents) == ["a", "a", "a", "a", "e"]


def test_a_long_chain_is_walked_once() -> None:
    ids = [str(number) for number in range(5000)]
    parents = {str(number): str(number - 1) for number in range(1, 5000)}
    assert set(roots(ids[::-1], parents)) == {"0"}


def test_held_out_rows_that_repeat_trained_ones_are_named_and_left_out() -> None:
    rows = [row(f"r{number}") for number in range(30)]
    copies = [{**one, "sage_row_id": f"copy-of-{one['sage_row_id']}"} for one in rows[:20]]
    trained, held, notices = split(table([*rows, *copies]), 0.2)
    assert len(trained) == 40
    assert len(held) < 10
    assert not {one.removeprefix("copy-of-") for one in held.row_ids()} & {
        one.removeprefix("copy-of-") for one in trained.row_ids()
    }
    left_out = 10 - len(held)
    assert f"10 of 50 rows, {left_out} of them left out" in notices[0]
    assert f"{left_out} of 10 held-out rows are among the trained rows" in notices[1]
    assert "says the same as" in notices[1]


def test_a_selection_of_copies_is_refused() -> None:
    same = [{**row("r"), "sage_row_id": f"r{number}"} for number in range(9)]
    with pytest.raises(DataError, match=r"repeats one that is trained(.|\n)*--dedup"):
        split(table(same), 0.2)


def test_rows_without_ids_are_known_by_what_they_say() -> None:
    rows = [{"prompt": f"say {number}", "completion": str(number)} for number in range(20)]
    _, held, _ = split(table(rows), 0.2)
    said = {rows[int(one)]["prompt"] for one in held.row_ids()}
    _, again, _ = split(table(rows[::-1]), 0.2)
    assert {rows[::-1][int(one)]["prompt"] for one in again.row_ids()} == said
