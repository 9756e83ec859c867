"""Rules of training order: each against its plain definition, whatever the order of the input."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stages import alone, dataset

from sage_select.data import Cause, Dataset, Scores
from sage_select.errors import DataError, ResourceError, UsageError
from sage_select.orders import ORDERS, Arrangement
from sage_select.orders.rule import check_arrangement
from sage_select.pipeline import Size
from sage_select.stages import Order

few = settings(max_examples=40, deadline=None)
#: What rules must be told beside their name.
WANTED: dict[str, dict[str, Any]] = {"interleave": {"order_by": "kind"}}
#: The rules, and those options of theirs that change the order.
RULES: list[dict[str, Any]] = [
    *({"order": name, **WANTED.get(name, {})} for name in ORDERS),
    {"order": "length", "length_first": "longest"},
    {"order": "competence", "competence_root": 1, "full_competence_at": 1},
    {"order": "self_paced", "rounds": 3},
]


def rows(n: int, *, seed: int = 0, values: int = 5) -> tuple[pa.Table, np.ndarray]:
    """Return rows with ids, words and kinds of their own, and scores with ties."""
    generator = np.random.default_rng(seed)
    texts = [f"row {row}{' word' * int(more)}" for row, more in enumerate(generator.integers(0, 6, n))]
    kinds = [None if one == 0 else f"k{one}" for one in generator.integers(0, 4, n)]
    table = pa.table({"text": pa.array(texts, pa.string()), "kind": pa.array(kinds, pa.string())})
    return table, generator.integers(0, values, n).astype(np.float32)


def arranged(rule: dict[str, Any], table: pa.Table, scores: np.ndarray, seed: int = 0, **more: Any) -> Dataset:
    """Return the rows after the stage alone."""
    stage = Order.make(**rule)
    return stage.run(scored(table, scores, **more), alone(stage, seed=seed))


def scored(table: pa.Table, scores: np.ndarray, **more: Any) -> Dataset:
    """Return the rows with scores; there may be none left."""
    if not table.num_rows:
        return scored(pa.table({"text": ["gone"], "kind": ["k"]}), np.zeros(1)).drop(np.array([0]), Cause("a", "b"))
    return dataset(table).with_feature("scores", Scores(scores.astype(np.float32), **more))


def order_of(data: Dataset) -> np.ndarray:
    return np.argsort(data.feature("position"))


def notices(rule: dict[str, Any], table: pa.Table, scores: np.ndarray) -> list[str]:
    stage = Order.make(**rule)
    run = alone(stage)
    stage.run(scored(table, scores), run)
    return run.reporter.notices


@pytest.mark.parametrize("rule", RULES, ids=str)
@given(n=st.integers(0, 40), seed=st.integers(0, 9), values=st.sampled_from([1, 3, 1000]))
@few
def test_every_rule_is_an_order_that_follows_the_rows_and_not_their_places(
    rule: dict[str, Any], n: int, seed: int, values: int
) -> None:
    table, scores = rows(n, seed=seed, values=values)
    found = arranged(rule, table, scores, seed)
    order = order_of(found)
    assert sorted(found.feature("position").tolist()) == list(range(n))
    phases = found.feature("phase")
    if phases is not None:
        assert phases.dtype == np.int32
        assert np.all(np.diff(phases[order]) >= 0)
    moved = np.random.default_rng(seed + 1).permutation(n)
    other = arranged(rule, table.take(moved), scores[moved], seed)
    assert moved[order_of(other)].tolist() == order.tolist()
    if phases is not None:
        assert other.feature("phase").tolist() == phases[moved].tolist()


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_another_seed_is_another_order(rule: dict[str, Any]) -> None:
    table, scores = rows(60)
    assert len({tuple(order_of(arranged(rule, table, scores, seed)).tolist()) for seed in range(4)}) == 4


@pytest.mark.parametrize("rule", [rule for rule in RULES if ORDERS[rule["order"]].nested], ids=str)
def test_some_rows_stand_as_among_all_where_a_rule_says_so(rule: dict[str, Any]) -> None:
    table, scores = rows(60)
    some = np.sort(np.random.default_rng(1).permutation(60)[:25])
    fewer = some[order_of(arranged(rule, table.take(some), scores[some]))]
    among = [row for row in order_of(arranged(rule, table, scores)).tolist() if row in set(some.tolist())]
    assert fewer.tolist() == among


def test_by_score_with_ties_by_the_shuffle() -> None:
    table, scores = rows(50)
    shuffle = order_of(arranged({"order": "random"}, table, scores)).tolist()
    place = {row: index for index, row in enumerate(shuffle)}

    def by(sign: int) -> list[int]:
        return sorted(range(50), key=lambda row: (sign * scores[row], place[row]))

    assert order_of(arranged({"order": "easy_to_hard"}, table, scores)).tolist() == by(1)
    assert order_of(arranged({"order": "hard_to_easy"}, table, scores)).tolist() == by(-1)
    turned = arranged({"order": "easy_to_hard"}, table, scores, higher_is_harder=False)
    assert order_of(turned).tolist() == by(-1)


def test_by_length_in_words() -> None:
    table, scores = rows(50)
    words = [len(text.split()) for text in table["text"].to_pylist()]
    first = [words[row] for row in order_of(arranged({"order": "length"}, table, scores))]
    last = [words[row] for row in order_of(arranged({"order": "length", "length_first": "longest"}, table, scores))]
    assert first == sorted(words)
    assert last == sorted(words, reverse=True)


@pytest.mark.parametrize("rounds", [1, 2, 4, 7, 100])
def test_self_paced_is_bands_of_the_score(rounds: int) -> None:
    table, scores = rows(50, values=30)
    found = arranged({"order": "self_paced", "rounds": rounds}, table, scores)
    band = [int(rounds * sum(other < score for other in scores) // 50) for score in scores]
    shuffle = order_of(arranged({"order": "random"}, table, scores)).tolist()
    assert found.feature("phase").tolist() == band
    assert order_of(found).tolist() == sorted(range(50), key=lambda row: (band[row], shuffle.index(row)))


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule["order"] not in ("random", "interleave")], ids=str)
def test_it_is_said_where_a_rule_has_nothing_to_go_by(rule: dict[str, Any]) -> None:
    table = pa.table({"text": [f"row {row}" for row in range(9)]})
    assert any("the order is a shuffle" in text for text in notices(rule, table, np.zeros(9)))
    assert notices(rule, table.slice(0, 1), np.zeros(1)) == [
        f"order {rule['order']}: there is one row, and nothing to order"
    ]
    assert notices(rule, table.slice(0, 0), np.zeros(0)) == []


def test_few_rounds_and_one_group_are_told() -> None:
    table, _ = rows(12)
    halves = np.repeat([0, 1], 6)
    assert notices({"order": "self_paced"}, table, halves) == [
        "order self_paced: 2 of 4 rounds have rows, as many scores are equal"
    ]
    assert "as there are fewer rows" in notices({"order": "self_paced", "rounds": 90}, table, np.arange(12))[0]
    for values, said in (
        (["a", "a"], "the value 'a'"),
        ([None, None], "no value"),
        (["a", None], "values of their own"),
    ):
        same = pa.table({"text": ["x", "y"], "kind": pa.array(values, pa.string())})
        assert said in notices({"order": "interleave", "order_by": "kind"}, same, np.zeros(2))[0]


@pytest.mark.parametrize(
    "values",
    [
        pa.nulls(4),
        pa.array([1, None, 1, 2], pa.uint8()),
        pa.array([True, None, True, False]),
        pa.array(["ä", None, "ä", "日本"], pa.large_string()),
        pa.array(["ä", None, "ä", ""], pa.string_view()),
        pa.array(["ä", None, "ä", "b"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 2]), pa.array(["a", None, "b"])),
    ],
    ids=lambda one: str(one.type)[:20],
)
def test_groups_of_every_kind_of_value(values: pa.Array) -> None:
    table = pa.table({"text": ["w", "x", "y", "z"], "kind": values})
    found = order_of(arranged({"order_by": "kind"}, table, np.zeros(4)))
    assert sorted(found.tolist()) == [0, 1, 2, 3]
    if values.null_count < 4:
        # The value of half of the rows is one of the first two, and of the last two.
        assert {0, 2} != set(found[:2].tolist())
        assert {0, 2} != set(found[2:].tolist())


def test_rules_without_what_they_need_are_refused() -> None:
    table, _ = rows(5)
    for name in ("easy_to_hard", "competence", "self_paced"):
        stage = Order.make(order=name)
        with pytest.raises(UsageError, match=f"order '{name}' needs scores"):
            stage.run(dataset(table, stage), alone(stage))
    stage = Order.make(order="length")
    with pytest.raises(UsageError, match="needs rows"):
        stage.run(Dataset(4), alone(stage))
    stage = Order.make(order="interleave", order_by="knd")
    with pytest.raises(UsageError, match=r"there is no column 'knd'(?s:.*)did you mean 'kind'"):
        stage.check_input(dataset(table, stage))
    with pytest.raises(UsageError, match="a column of the rows, and there are none"):
        stage.check_input(Dataset(4))
    stage = Order.make(order="interleave", order_by="n")
    with pytest.raises(DataError, match="text, whole numbers or truth values"):
        stage.check_input(dataset(pa.table({"text": ["a"], "n": [0.5]}), stage))
    with pytest.raises(UsageError, match="order_by"):
        Order.make(order="interleave")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "Arrangement\\(rows\\)(?s:.*)NoneType"),
        (np.arange(4), "Arrangement\\(rows\\)(?s:.*)ndarray"),
        (Arrangement(np.array([0, 1, 1, 3])), "each once"),
        (Arrangement(np.arange(3)), "below 4"),
        (Arrangement(np.arange(4.0)), "float64"),
        (Arrangement([0, 1, 2, 3]), "list"),  # type: ignore[arg-type]
        (Arrangement(np.arange(4), np.array([0, 1, 0, 1], np.int32)), "never falling"),
        (Arrangement(np.arange(4), np.array([-1, 0, 0, 1], np.int32)), "from 0"),
        (Arrangement(np.arange(4), np.zeros(3, np.int32)), "shape \\(4,\\)"),
        (Arrangement(np.arange(4), np.array([0, 0, 0, 2**40])), "int32"),
    ],
)
def test_what_is_no_order_is_a_fault_of_the_rule(result: Any, said: str) -> None:
    rule = Order().order
    check_arrangement(Arrangement(np.array([3, 1, 0, 2]), np.array([0, 0, 1, 1], np.int32)), rule, 4)
    with pytest.raises(ResourceError, match=said):
        check_arrangement(result, rule, 4)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_memory_is_about_what_a_rule_says(rule: dict[str, Any]) -> None:
    n = 60_000
    table = pa.table(
        {"text": ["a few words"] * n, "id": [f"r{row}" for row in range(n)], "kind": ["k", "l", "m"] * 20_000}
    )
    stage = Order.make(**rule)
    scores = Scores(np.random.default_rng(0).normal(size=n).astype(np.float32))
    data = dataset(table, stage, id_column="id").with_feature("scores", scores)
    stage.run(data, alone(stage))
    tracemalloc.start()
    stage.run(data, alone(stage))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    said = stage.cost(Size(n=n, word_bytes=12))
    assert said is not None
    # What Arrow and the kernels allocate, such as the hashes, is not traced.
    assert 0.4 < peak / said.memory < 1.5
