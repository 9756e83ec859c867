"""The mix stage on small tables: how many rows of each value are drawn, and which."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from stages import alone, dataset

import sage_select
from sage_select.data import Dataset, Lengths
from sage_select.errors import DataError, UsageError
from sage_select.kernels import keyed_hashes
from sage_select.pipeline import Pipeline, Run, Size
from sage_select.pipeline.plan import explain, resolve
from sage_select.pipeline.run import Recorder, Silence
from sage_select.seeds import stage_key
from sage_select.stages import Mix, Select, Source
from sage_select.stages.inputs.limits import Prepared


def table(**groups: int | list[int]) -> pa.Table:
    """Return so many rows of each group, in turns; a list says how many words each has."""
    rows = []
    for kind, sizes in groups.items():
        for number, words in enumerate(sizes if isinstance(sizes, list) else [3] * sizes):
            rows.append({"text": f"{kind}{number}" + " word" * (words - 1), "kind": None if kind == "null" else kind})
    order = np.random.default_rng(1).permutation(len(rows))
    return pa.Table.from_pylist([rows[row] for row in order], pa.schema({"text": pa.string(), "kind": pa.string()}))


def run(
    rows: pa.Table,
    shares: str,
    *,
    pinned: tuple[int, ...] = (),
    excluded: tuple[int, ...] = (),
    queries: tuple[int, ...] = (),
    pinned_before: tuple[int, ...] = (),
    seed: int = 0,
    lengths: list[int] | None = None,
    **options: Any,
) -> tuple[Dataset, list[str]]:
    """Return the rows that stay, and the notices."""
    stage, before, after = Mix(shares=shares, **options), Select(budget="100%"), Select(budget="100%")
    made = Run([Source(path="table"), before, stage, after], seed, Recorder(Silence()), 2)
    arrays = [np.array(one, np.int64) for one in (pinned, excluded, queries)]
    made.prepared = {
        id(before): Prepared(np.array(pinned_before, np.int64)),
        id(after): Prepared(arrays[0], np.union1d(arrays[1], arrays[2]), arrays[2]),
    }
    data = dataset(rows)
    if lengths is not None:
        data = data.with_feature("lengths", Lengths(np.array(lengths), "tokens of a model"))
    stage.check_input(data)
    data = stage.prepare(data, made)
    stage.check(data, made)
    return stage.run(data, made), made.reporter.notices


def checked(stage: Mix) -> None:
    """Have the stage refuse what it refuses before anything runs."""
    made, data = alone(stage), dataset(ROWS)
    stage.check_input(data)
    stage.check(stage.prepare(data, made), made)


def counts(data: Dataset) -> dict[str | None, int]:
    assert data.rows is not None
    kinds = data.rows.table["kind"].to_pylist()
    return {kind: kinds.count(kind) for kind in dict.fromkeys(sorted(kinds, key=str))}


def facts(data: Dataset) -> dict[str | None, tuple[float, int, int]]:
    return {one["value"]: (one["share"], one["rows_available"], one["rows"]) for one in data.facts["mix"]["values"]}


ROWS = table(a=40, b=10, c=30)


@pytest.mark.parametrize(
    ("shares", "options", "expected"),
    [
        ("kind=a:3,b:1", {}, {"a": 30, "b": 10}),
        ("kind=b:0.25,a:0.75", {}, {"a": 30, "b": 10}),
        ("kind=a:1,b:1", {"size": 7}, {"a": 4, "b": 3}),
        ("kind=b:1,a:1", {"size": 7}, {"a": 3, "b": 4}),
        ("kind=a:0.5", {}, {"a": 40, "b": 10, "c": 30}),
        ("kind=a:0.5", {"size": 40}, {"a": 20, "b": 5, "c": 15}),
        ("kind=a:0.5,*:0.5", {"size": 40}, {"a": 20, "b": 5, "c": 15}),
        ("kind=*:1", {"size": 8}, {"a": 4, "b": 1, "c": 3}),
        ("kind=a:1,b:1", {"size": "50%"}, {"a": 20, "b": 20}),
        ("kind=a:1,c:1", {"size": "50%"}, {"a": 20, "c": 20}),
        ("kind=a:1,b:1", {"size": 30, "short": "shrink"}, {"a": 10, "b": 10}),
        ("kind=a:1,b:1", {"size": 30, "short": "fill"}, {"a": 20, "b": 10}),
        ("kind=a:1,b:1", {"size": 7, "short": "fill"}, {"a": 4, "b": 3}),
        ("kind=a:1", {"size": 1}, {"a": 1}),
        ("kind=c:1.0", {"size": "1%"}, {"c": 1}),
    ],
)
def test_counts_are_those_of_the_shares(shares: str, options: dict[str, Any], expected: dict[str, int]) -> None:
    if expected.get("b", 0) > 10:
        with pytest.raises(UsageError, match="more rows of 'b' than there are"):
            run(ROWS, shares, **options)
        return
    data, _ = run(ROWS, shares, **options)
    assert counts(data) == expected


def test_what_leaves_is_counted_by_cause_and_the_manifest_tells_each_value() -> None:
    data, _ = run(table(a=40, b=10, c=30, null=5), "kind=b:1,a:3", size=20)
    assert {str(cause): count for cause, count in data.lineage.counts().items()} == {
        "mix: no value to mix by": 5,
        "mix: no share for its value": 30,
        "mix: beyond the share of its value": 30,
    }
    told = data.facts["mix"]
    assert (told["column"], told["by"], told["rows_available"], told["rows"]) == ("kind", "rows", 85, 20)
    assert facts(data) == {"b": (0.25, 10, 5), "a": (0.75, 40, 15)}
    assert "limited_by" not in told
    assert "other_values" not in told


def test_the_value_that_limits_the_mixture_is_named() -> None:
    assert run(ROWS, "kind=a:3,b:1")[0].facts["mix"]["limited_by"] == "b"
    others = run(ROWS, "kind=a:0.2")[0].facts["mix"]
    assert (others["limited_by"], others["rows"]) == ("*", 50)
    assert others["other_values"] == {"values": 2, "share": 0.8, "rows_available": 40, "rows": 40, "reached": 0.8}


def test_rows_without_a_value_are_drawn_only_by_name() -> None:
    rows = table(a=8, b=4, null=6)
    assert counts(run(rows, "kind=a:0.5")[0]) == {"a": 4, "b": 4}
    assert counts(run(rows, "kind=a:1,null:1")[0]) == {"a": 6, None: 6}
    assert counts(run(rows, "kind=*:1")[0]) == {"a": 8, "b": 4}
    # The text null is a value like any other, where there is one.
    named = pa.table({"text": [f"t{i}" for i in range(4)], "kind": ["null", "null", None, "a"]})
    assert counts(run(named, "kind=null:2,a:1")[0]) == {"null": 2, "a": 1}


def test_rows_with_the_smallest_hashes_are_drawn() -> None:
    data = dataset(ROWS)
    hashes = keyed_hashes(stage_key(7, "mix"), data.ids)
    kinds = np.array(ROWS["kind"].to_pylist())
    drawn = {rows: set(run(ROWS, "kind=a:3,b:1", size=rows, seed=7)[0].index.tolist()) for rows in (4, 16, 40)}
    for size, found in drawn.items():
        for kind, share in (("a", 3), ("b", 1)):
            of_kind = np.flatnonzero(kinds == kind)
            expected = of_kind[np.argsort(hashes[of_kind], kind="stable")][: size * share // 4]
            assert {row for row in found if kinds[row] == kind} == set(expected.tolist())
    assert drawn[4] < drawn[16] < drawn[40]
    assert drawn[16] != set(run(ROWS, "kind=a:3,b:1", size=16, seed=8)[0].index.tolist())


def test_a_value_that_has_no_row_in_the_mixture_is_told() -> None:
    assert run(ROWS, "kind=a:9,b:1", size=2)[1] == [
        "no row of 'b' is in the mixture: its share is 0 rows",
    ]
    assert run(ROWS, "kind=a:9,b:1", size=10)[1] == []


def test_values_that_are_not_named_are_drawn_evenly() -> None:
    rows = table(a=10, b=300, c=90, d=33, **{f"single{number}": 1 for number in range(100)})
    kinds = np.array(rows["kind"].to_pylist())
    before: set[int] = set()
    for size in (7, 40, 200, 523):
        drawn = run(rows, "kind=a:1,*:999999", size=size)[0].index.tolist()
        there = {kind: int((kinds == kind).sum()) for kind in set(kinds) - {"a"}}
        counts = Counter(kinds[drawn])
        # One point up to which every value is drawn, but for less than a row.
        lowest = max((counts[kind] - 1) / number for kind, number in there.items())
        highest = min((counts[kind] + 1) / number for kind, number in there.items())
        assert lowest < highest
        assert before < set(drawn)
        before = set(drawn)
    singles = [name for name in kinds[run(rows, "kind=a:1,*:999999", size=200)[0].index] if name[:6] == "single"]
    assert len(singles) == pytest.approx(38, abs=15)
    assert set(singles) != set(sorted(name for name in there if name[:6] == "single")[: len(singles)])


def test_pinned_rows_come_first_and_count_for_their_value() -> None:
    kinds = ROWS["kind"].to_pylist()
    a, b, c = ([row for row, kind in enumerate(kinds) if kind == name] for name in "abc")
    for how in ("pinned", "pinned_before"):
        data, _ = run(ROWS, "kind=a:3,b:1", size=8, **{how: (a[-1], a[-2], b[-1])})
        assert counts(data) == {"a": 6, "b": 2}
        assert {a[-1], a[-2], b[-1]} <= set(data.index.tolist())
        with pytest.raises(
            UsageError, match="the pinned rows of 'b' are more than their share of the mixture"
        ) as caught:
            run(ROWS, "kind=a:3,b:1", size=8, **{how: tuple(b[:3])})
        assert (caught.value.expected, caught.value.got) == ("at most 2 rows", "3")
        with pytest.raises(UsageError, match="this row is pinned, and its value has no share"):
            run(ROWS, "kind=a:3,b:1", **{how: (c[0],)})
        assert c[0] in run(ROWS, "kind=a:0.5", size=8, **{how: (c[0],)})[0].index


def test_rows_that_a_later_selection_excludes_or_looks_for_stay_and_count_for_nothing() -> None:
    kinds = ROWS["kind"].to_pylist()
    a, b, c = ([row for row, kind in enumerate(kinds) if kind == name] for name in "abc")
    data, _ = run(ROWS, "kind=a:1,b:1", excluded=tuple(b[:6]), queries=(a[0], c[0]))
    assert counts(data) == {"a": 5, "b": 10, "c": 1}
    assert facts(data) == {"a": (0.5, 39, 4), "b": (0.5, 4, 4)}
    assert data.facts["mix"]["rows"] == 8
    with pytest.raises(UsageError, match="share of kind 'b', and there is no such row"):
        run(ROWS, "kind=a:1,b:1", excluded=tuple(b))


def test_by_tokens_each_value_has_its_share_but_for_less_than_a_row() -> None:
    generator = np.random.default_rng(3)
    rows = table(a=generator.integers(1, 9, 60).tolist(), b=generator.integers(1, 30, 40).tolist(), c=5)
    data, notices = run(rows, "kind=a:0.3,b:0.7", size="200 tokens")
    assert notices == ["no tokenizer named: the mixture counts words; --tokenizer counts the tokens of a model"]
    told = data.facts["mix"]
    for one, share in zip(told["values"], (60, 140), strict=True):
        assert one["words"] <= share
        left = [
            words
            for words, kind, row in zip(dataset(rows).lengths.values, rows["kind"].to_pylist(), range(105), strict=True)
            if kind == one["value"] and row not in data.index
        ]
        assert share - one["words"] < min(left)
    assert told["by"] == "words"
    whole, _ = run(rows, "kind=a:0.5,b:0.5", by="tokens")
    assert whole.facts["mix"]["limited_by"] == "a"
    assert whole.facts["mix"]["values"][0]["words"] == whole.facts["mix"]["values"][0]["words_available"]
    assert run(rows, "kind=a:1,b:1", by="tokens", size="10%")[0].facts["mix"]["rows"] > 0


def test_tokens_are_those_that_are_known() -> None:
    rows = table(a=4, b=4)
    lengths = [10 if kind == "a" else 1 for kind in rows["kind"].to_pylist()]
    data, notices = run(rows, "kind=a:1,b:1", by="tokens", lengths=lengths)
    assert data.facts["mix"]["by"] == "tokens of a model"
    assert notices == ["no row of 'a' is in the mixture: its share is 4 tokens, and its rows are longer"]
    assert data.n == 4
    with pytest.raises(UsageError, match="no row is short enough for its share of the tokens"):
        run(rows, "kind=a:1", size="9 tokens", lengths=lengths)
    with pytest.raises(UsageError, match="4 rows of kind 'b' have no tokens"):
        run(rows, "kind=a:1,b:1", by="tokens", lengths=[10 if one == 10 else 0 for one in lengths])


@pytest.mark.parametrize(
    ("shares", "options", "said", "more"),
    [
        ("kind=a:1,bb:1", {}, "a share of kind 'bb', and there is no such row", "'a' (40), 'c' (30), 'b' (10)"),
        ("kind=A:1,b:1,c:1", {}, "a share of kind 'A', and there is no such row", "without it: --mix 'kind=b:1,c:1'"),
        ("kind=null:1,b:1", {}, "a share of kind 'null'", "without it: --mix 'kind=b:1'"),
        ("kind=z:1", {}, "a share of kind 'z'", "values that rows have"),
        ("kinds=a:1", {}, "there is no column 'kinds'", "did you mean 'kind'?"),
        ("source=a:1", {}, "there is no column 'source' to mix by", "several inputs get the column sage_source"),
        ("sage_source=a:1", {}, "there is no column 'sage_source' to mix by", "one of text, kind"),
        ("kind=a:0.5,b:0.2,c:0.2", {}, "add up to 0.9, and no row has another value", "a ratio of the values named"),
        (
            "kind=a:1,b:1",
            {"size": 22},
            "more rows of 'b' than there are",
            "a size of 20 rows with these shares: as much as the rows of 'b' allow",
        ),
        ("kind=a:0.2", {"size": 60}, "more rows of other values than there are", "a size of 50 rows"),
        ("kind=a:1,b:1", {"size": 100}, "of 'a' than there are, and of 1 more value", "got: 50, and there are 40"),
        ("kind=a:1,b:1", {"size": 51, "short": "fill"}, "than its values have together", "at most 50 rows"),
        ("kind=a:1,b:1", {"size": "99 tokens"}, "more words in rows of 'b' than there are", "a size of 60 words"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    shares: str, options: dict[str, Any], said: str, more: str
) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        checked(Mix(shares=shares, **options))
    assert more in str(caught.value)


def test_a_share_of_what_there_is_is_judged_when_the_others_have_left() -> None:
    checked(Mix(shares="kind=a:1,b:1", size="50%"))
    with pytest.raises(UsageError, match="more rows of 'b' than there are"):
        run(ROWS, "kind=a:1,b:1", size="50%")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 0}, "one row at least"),
        ({"size": "0%"}, "one row at least"),
        ({"size": "0 tokens"}, "one row at least"),
        ({"short": "fill"}, "give the mixture a size"),
        ({"size": "10 tokens", "by": "rows"}, "a mixture by rows has a size in rows"),
        ({"size": 10, "by": "tokens"}, '"10 tokens", or a share of them'),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Mix.make(shares="kind=a:1", **options)


def test_values_may_be_numbers_and_truth_values_but_not_lists() -> None:
    texts = [f"t{i}" for i in range(6)]
    for values in ([1, 1, 1, 1, 2, 2], [True, True, True, True, False, False]):
        first, second = ("1", "2") if values[0] is not True else ("true", "false")
        data, _ = run(pa.table({"text": texts, "kind": values}), f"kind={first}:1,{second}:1")
        assert data.n == 4
    with pytest.raises(DataError, match="rows cannot be counted by these values"):
        run(pa.table({"text": texts, "kind": [[1]] * 6}), "kind=1:1")


def test_files_are_named_as_short_as_tells_them_apart() -> None:
    names = ["a.jsonl", "more/b.jsonl.gz", "more/a.parquet"]
    rows = pa.table({"text": [f"t{i}" for i in range(6)], "sage_source": names * 2})
    for shares in ("source=more/b:1", "source=b:1", "sage_source=b:1", "source=more/b.jsonl.gz:1"):
        data, _ = run(rows, shares)
        assert data.facts["mix"]["values"][0]["value"] == "more/b.jsonl.gz"
        assert data.facts["mix"]["column"] == "sage_source"
    assert run(rows, "source=more/a:1")[0].facts["mix"]["values"][0]["value"] == "more/a.parquet"
    with pytest.raises(UsageError, match="a share of sage_source 'a', and there is no such row"):
        run(rows, "source=a:1")
    with pytest.raises(UsageError, match=r"names the rows of 'more/b\.jsonl\.gz' twice"):
        run(rows, "source=b:1,more/b:1")
    # A column of one's own comes first.
    own = rows.append_column("source", pa.array(["x"] * 6))
    assert run(own, "source=x:1")[0].n == 6


def test_nothing_is_mixed_where_no_row_is_left() -> None:
    found = sage_select.Pipeline.read("x").select("random", budget=0).mix("kind=a:1").run(ROWS)
    assert found.indices.tolist() == []


def test_it_says_what_it_does() -> None:
    lines = explain(resolve(Pipeline(steps=(Source(path="a"), Mix(shares="sage", size=900), Select())))).split("\n")
    assert lines[2] == ("mix      rows by 'task': tool_selection 35%, planning 30%, timing 20%, general 15%; 900 rows")
    assert Mix(shares="k=a:1,b:2", size="1k tokens", short="fill").describe() == (
        "tokens by 'k': a 33.3333%, b 66.6667%; 1,000 tokens, filled up from the others"
    )
    assert Mix(shares="k=a:0.5", size="10%", by="tokens", short="shrink").describe() == (
        "tokens by 'k': a 50%, other values 50%; 10% of the tokens, or the largest mixture there is"
    )


@pytest.mark.parametrize(
    ("options", "rows", "exact"),
    [
        ({}, 40_000, False),
        ({"size": 900}, 900, True),
        ({"size": 900, "short": "shrink"}, 900, False),
        ({"size": "10%"}, 8000, True),
        ({"size": "600 tokens"}, 100, False),
    ],
)
def test_an_estimate_of_its_rows(options: dict[str, Any], rows: int, exact: bool) -> None:
    size = Size(n=80_000, input_n=80_000, data=dataset(ROWS), row_bytes=40.0, word_bytes=36.0)
    after = Mix(shares="kind=a:3,b:1", **options).size_after(size)
    assert (after.n, after.exact) == (rows, exact)
    assert Mix(shares="kind=a:3,b:1", **options).cost(size) is not None
    assert Mix(shares="kind=a:3,zz:1").size_after(size).n == 80_000
