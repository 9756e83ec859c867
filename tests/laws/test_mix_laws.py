"""Laws of mixtures, beside a plain one: whatever the order of the rows, the threads and the place in the pipeline."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import sage_select
from sage_select.errors import UsageError
from sage_select.kernels import keyed_hashes
from sage_select.seeds import stage_key

few = settings(max_examples=60, deadline=None)
#: Some rows of each value that parts are of, and others.
kinds_of = st.lists(st.sampled_from(["a", "b", "c", "d", None]), max_size=60).map(
    lambda more: [*"abcabcd", None, *more]
)
parts_of = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 9), min_size=1)


def table(kinds: list[str | None], words: list[int] | None = None) -> pa.Table:
    texts = [f"row{row}" + " word" * (words[row] if words else 0) for row in range(len(kinds))]
    return pa.table(
        {"text": texts, "id": [f"id{row}" for row in range(len(kinds))], "kind": pa.array(kinds, pa.string())}
    )


class TooShortError(Exception):
    """No row fits into its share."""


def mixed(rows: pa.Table, shares: str, seed: int = 0, **more: Any) -> list[str]:
    """Return the ids of the rows of a mixture."""
    settings = {name: more.pop(name) for name in ("size", "by", "short") if name in more}
    pipeline = sage_select.Pipeline.read("x", seed=seed, id_column="id").mix(shares, **settings)
    try:
        found = pipeline.run(rows, **more)
    except UsageError as error:
        if error.message.startswith("no row is short enough"):
            raise TooShortError from None
        raise
    return sorted(rows["id"][row].as_py() for row in found.indices.tolist())


def plain(kinds: list[str | None], shares: dict[str, Fraction], size: int | None, seed: int) -> list[str] | None:
    """Return the ids of a mixture by its definition; None where there are too few rows."""
    hashes = keyed_hashes(stage_key(seed, "mix"), pa.array([f"id{row}" for row in range(len(kinds))]))
    counts = {kind: kinds.count(kind) for kind in shares}
    if size is None:
        size = next(total for total in range(len(kinds), -1, -1) if all(total * shares[k] <= counts[k] for k in shares))
    wanted = {kind: int(size * share) for kind, share in shares.items()}
    by_remainder = sorted(shares, key=lambda kind: (wanted[kind] - size * shares[kind], list(shares).index(kind)))
    for kind in by_remainder[: size - sum(wanted.values())]:
        wanted[kind] += 1
    if any(wanted[kind] > counts[kind] for kind in shares):
        return None
    drawn = []
    for kind in shares:
        rows = sorted((row for row, one in enumerate(kinds) if one == kind), key=lambda row: hashes[row])
        drawn += [f"id{row}" for row in rows[: wanted[kind]]]
    return sorted(drawn)


def said(parts: dict[str, int]) -> str:
    return "kind=" + ",".join(f"{kind}:{part}" for kind, part in parts.items())


@given(kinds=kinds_of, parts=parts_of, size=st.none() | st.integers(1, 20), seed=st.integers(0, 99))
@few
def test_a_mixture_is_the_plain_one(
    kinds: list[str | None], parts: dict[str, int], size: int | None, seed: int
) -> None:
    shares = {kind: Fraction(part, sum(parts.values())) for kind, part in parts.items()}
    expected = plain(kinds, shares, size, seed)
    if expected is None:
        with pytest.raises(UsageError, match="than there are"):
            mixed(table(kinds), said(parts), seed, size=size)
        return
    assert mixed(table(kinds), said(parts), seed, **({} if size is None else {"size": size})) == expected


@given(
    kinds=kinds_of,
    parts=st.dictionaries(st.sampled_from(["a", "b"]), st.integers(1, 45), min_size=1),
    by=st.sampled_from(["rows", "tokens"]),
    seed=st.integers(0, 99),
)
@few
def test_no_order_of_the_rows_and_no_thread_changes_it(
    kinds: list[str | None], parts: dict[str, int], by: str, seed: int
) -> None:
    words = np.random.default_rng(seed).integers(0, 9, len(kinds)).tolist()
    rows, order = table(kinds, words), np.random.default_rng(seed).permutation(len(kinds))
    shares = "kind=" + ",".join(f"{kind}:{part}%" for kind, part in parts.items())
    with suppress(TooShortError):
        straight = mixed(rows, shares, seed, by=by, threads=1)
        assert mixed(rows.take(pa.array(order)), shares, seed, by=by, threads=2) == straight


@given(kinds=kinds_of, parts=parts_of, share=st.floats(0.01, 1), seed=st.integers(0, 99))
@few
def test_by_tokens_no_value_lacks_a_row_that_would_fit(
    kinds: list[str | None], parts: dict[str, int], share: float, seed: int
) -> None:
    words = (np.random.default_rng(seed).integers(0, 30, len(kinds)) + 1).tolist()
    rows, whole = table(kinds, [one - 1 for one in words]), sum(parts.values())
    totals = {kind: sum(w for w, k in zip(words, kinds, strict=True) if k == kind) for kind in parts}
    size = max(1, int(share * min(totals[kind] * whole // part for kind, part in parts.items())))
    try:
        ids = mixed(rows, said(parts), seed, size=f"{size} tokens")
    except TooShortError:
        return
    drawn = {int(one[2:]) for one in ids}
    for kind, part in parts.items():
        have = sum(words[row] for row in drawn if kinds[row] == kind)
        left = [words[row] for row in range(len(kinds)) if row not in drawn and kinds[row] == kind]
        assert have < Fraction(size * part, whole) + 1
        assert have + min(left, default=10**9) > Fraction(size * part, whole) - 1
    assert not {kinds[row] for row in drawn} - parts.keys()


@given(kinds=kinds_of, parts=parts_of, short=st.sampled_from(["shrink", "fill"]), size=st.integers(1, 60))
@few
def test_where_rows_are_short(kinds: list[str | None], parts: dict[str, int], short: str, size: int) -> None:
    there = sum(kind in parts for kind in kinds)
    if short == "fill" and size > there:
        return
    ids = mixed(table(kinds), said(parts), size=size, short=short)
    exact = plain(kinds, {kind: Fraction(part, sum(parts.values())) for kind, part in parts.items()}, size, 0)
    largest = plain(kinds, {kind: Fraction(part, sum(parts.values())) for kind, part in parts.items()}, None, 0)
    if exact is not None:
        assert ids == exact
    elif short == "shrink":
        assert ids == largest
    else:
        assert len(ids) == size


@given(kinds=kinds_of, parts=parts_of)
@few
def test_it_holds_after_a_selection_as_well(kinds: list[str | None], parts: dict[str, int]) -> None:
    rows = table(kinds)
    chosen = sage_select.Pipeline.read("x", id_column="id").select("random", budget="60%")
    stays = [kinds[row] for row in chosen.run(rows).indices.tolist()]
    assume(set(parts) <= set(stays))
    size = min(stays.count(kind) * sum(parts.values()) // part for kind, part in parts.items())
    found = chosen.mix(said(parts)).run(rows)
    drawn = [kinds[row] for row in found.indices.tolist()]
    assert len(drawn) == size
    assert all(abs(Fraction(size * part, sum(parts.values())) - drawn.count(kind)) < 1 for kind, part in parts.items())
    assert set(drawn) <= set(parts)
