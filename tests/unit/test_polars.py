"""`DataFrame.sage` and `LazyFrame.sage`: `select` of a frame, whose rows stay what they are."""

from __future__ import annotations

import datetime
import subprocess
import sys
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

import sage_select
import sage_select.polars
from sage_select import DataError, UsageError
from sage_select.columns import COLUMNS

N = 60
FRAME = pl.DataFrame(
    {
        "text": [f"row number {i} of {'very ' * (i % 5)}many" for i in range(N)],
        "loss": [float(i * 7 % N) for i in range(N)],
        "kind": pl.Series([["web", "book"][i % 2] for i in range(N)], dtype=pl.Categorical),
        "level": pl.Series([["low", "high"][i % 2] for i in range(N)], dtype=pl.Enum(["low", "high"])),
        "price": pl.Series([Decimal(i) / 100 for i in range(N)], dtype=pl.Decimal(10, 2)),
        "at": pl.Series([datetime.datetime(2024, 1, 1 + i % 28, tzinfo=datetime.UTC) for i in range(N)]),
        "small": pl.Series(range(N), dtype=pl.UInt8),
        "vector": pl.Series(np.random.default_rng(0).normal(size=(N, 4)), dtype=pl.Array(pl.Float64, 4)),
        "nested": [{"a": [i], "b": None} for i in range(N)],
    }
)


def test_rows_are_those_of_select_and_keep_their_types() -> None:
    chosen = sage_select.select(FRAME, k=9, strategy="diversity", seed=3)
    found = FRAME.sage.select(k=9, strategy="diversity", seed=3)
    assert found.columns == [*FRAME.columns, *COLUMNS]
    assert found.select(FRAME.columns).equals(FRAME[chosen.table_indices])
    assert found.schema == pl.Schema({**FRAME.schema, **found.select(list(COLUMNS)).schema})
    assert found.select(list(COLUMNS)).equals(pl.DataFrame(chosen.table().select(list(COLUMNS))))
    assert found["sage_position"].to_list() == list(range(9))


def test_a_selection_of_a_selection_has_its_own_columns() -> None:
    first = FRAME.sage.select(k=30, strategy="random")
    again = first.sage.select(k=10, strategy="random", seed=1)
    assert again.columns == first.columns
    assert set(again["sage_row_id"]) <= set(first["sage_row_id"])
    assert sorted(again["sage_rank"]) == list(range(10))


@pytest.mark.parametrize(
    ("options", "plain"),
    [
        ({"scores": pl.col("loss") * 2, "strategy": "loss_topk"}, {"scores": FRAME["loss"] * 2}),
        ({"scores": "loss", "strategy": "loss_topk"}, {"scores": "loss"}),
        ({"embeddings": pl.col("vector"), "strategy": "diversity"}, {"embeddings": FRAME["vector"]}),
        (
            {"groups": pl.col("small") % 3, "strategy": "random"},
            {"groups": FRAME["small"] % 3},
        ),
        (
            {"lengths": pl.col("text").str.len_chars(), "budget": "90 tokens", "strategy": "random"},
            {"lengths": FRAME["text"].str.len_chars(), "budget": "90 tokens"},
        ),
    ],
)
def test_expressions_stand_for_their_values(options: dict[str, object], plain: dict[str, object]) -> None:
    size = {} if "budget" in options else {"k": 8}
    expected = sage_select.select(FRAME, strategy=options["strategy"], **size, **plain)
    assert FRAME.sage.selection(**size, **options).indices.tolist() == expected.indices.tolist()
    assert len(expected)


def test_a_lazy_frame_gives_a_lazy_frame() -> None:
    named = {"budget": "10%", "score": "loss", "embedding": "vector"}
    found = FRAME.lazy().sage.select("hybrid", **named)
    assert isinstance(found, pl.LazyFrame)
    expected = FRAME.sage.select("hybrid", **named)
    assert found.collect_schema() == expected.schema
    assert found.collect().equals(expected)
    assert expected.equals(FRAME.sage.select(strategy="hybrid", budget="10%", scores="loss", embeddings="vector"))
    # With none of the query after it moved before it, in either engine.
    rest = found.filter(pl.col("loss") < 50).select("text", "sage_rank").head(2)
    wanted = expected.filter(pl.col("loss") < 50).select("text", "sage_rank").head(2)
    assert rest.collect().equals(wanted)
    assert rest.collect(engine="streaming").equals(wanted)


def test_lazy_frames_are_read_when_they_are_collected() -> None:
    seen: list[int] = []

    def count(frame: pl.DataFrame) -> pl.DataFrame:
        seen.append(frame.height)
        return frame

    frame = FRAME.lazy().filter(pl.col("loss") > 10).map_batches(count, schema=FRAME.schema)
    found = frame.sage.select("loss_topk", k=5, score=pl.col("loss"))
    assert seen == []
    assert sorted(found.collect()["loss"]) == [55, 56, 57, 58, 59]
    assert seen == [49]
    chosen = FRAME.lazy().sage.selection("random", k=5)
    assert chosen.indices.tolist() == sage_select.select(FRAME, k=5, strategy="random").indices.tolist()
    again = FRAME.lazy().sage.select("random", k=20).sage.select("random", k=5, seed=1).collect()
    assert again.equals(FRAME.sage.select("random", k=20).sage.select("random", k=5, seed=1))


def test_groups_and_lengths_may_be_columns() -> None:
    found = FRAME.sage.select("random", k=10, group="kind")
    assert found["kind"].value_counts(sort=True)["count"].to_list() == [5, 5]
    few = FRAME.sage.select("random", budget="90 tokens", length=pl.col("small"))
    assert few["small"].sum() <= 90
    assert few.equals(FRAME.sage.select("random", budget="90 tokens", lengths="small"))


def test_nothing_selected_is_no_row() -> None:
    found = FRAME.sage.select(k=0, strategy="random")
    assert found.is_empty()
    assert found.columns == [*FRAME.columns, *COLUMNS]
    assert found.schema["kind"] == FRAME.schema["kind"]


def test_mistakes_are_ours() -> None:
    with pytest.raises(UsageError, match="stategy"):
        FRAME.sage.select(stategy="random")
    with pytest.raises(DataError, match="absent"):
        FRAME.sage.select(k=3, scores=pl.col("absent"), strategy="loss_topk")
    with pytest.raises(UsageError, match="one column"):
        FRAME.sage.select(k=3, scores=pl.col("loss", "small"), strategy="loss_topk")
    with pytest.raises(DataError, match="cannot collect"):
        FRAME.lazy().select(pl.col("absent")).sage.select(k=3)
    with pytest.raises(UsageError, match="scores or score, not both"):
        FRAME.sage.select("loss_topk", k=3, score="loss", scores="loss")
    with pytest.raises(UsageError, match=r"import sage_select\.polars"):
        sage_select.select(FRAME, k=3, scores=pl.col("loss"), strategy="loss_topk")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stategy": "random"}, "did you mean 'strategy'"),
        ({"strategy": "nope"}, "unknown strategy"),
        ({"budget": "x%"}, "no budget"),
        ({"strategy": "random", "objective": "facility"}, "objective"),
        ({"k": 3, "budget": 4}, "not both"),
    ],
)
def test_a_lazy_frame_refuses_arguments_at_once(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        FRAME.lazy().sage.select(**options)


def test_a_lazy_frame_refuses_rows_when_it_is_collected() -> None:
    late = FRAME.lazy().sage.select("loss_topk", k=3, score="lss")
    with pytest.raises(UsageError, match="did you mean 'loss'"):
        late.collect()
    with pytest.raises(UsageError, match="more than the 60 rows"):
        FRAME.lazy().sage.select("random", k=100).collect()
    with pytest.raises(DataError, match="does not fit the rows"):
        FRAME.sage.select(k=3, scores=pl.col("loss").head(4), strategy="loss_topk")


def test_only_the_door_loads_polars() -> None:
    code = "import sys, sage_select; assert 'polars' not in sys.modules; import sage_select.polars, polars; "
    code += "assert not {'torch', 'transformers', 'trl'} & set(sys.modules); print(polars.DataFrame().sage)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
