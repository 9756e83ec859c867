"""`select` from Python: what it returns and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rules import wanted

import sage_select
from sage_select import DataError, SageError, UsageError
from sage_select.stages import compare
from sage_select.strategies import STRATEGIES

VECTORS = np.eye(6, dtype=np.float32)
TABLE = pa.table({"text": [f"row {i}" for i in range(6)], "loss": [0.5, 3, 1, 2, 0, 4]})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, UsageError, "nothing to select from"),
        ({"scores": [1, 2], "k": 1, "budget": "10%"}, UsageError, "k or budget, not both"),
        ({"scores": [1, 2], "k": 3, "strategy": "loss_topk"}, UsageError, "more than the 2 rows"),
        ({"scores": [1, 2], "strategy": "los_topk"}, UsageError, "did you mean 'loss_topk'"),
        ({"scores": "loss", "strategy": "loss_topk"}, UsageError, "names a column"),
        ({"embeddings": VECTORS, "strategy": "loss_topk"}, UsageError, "needs scores"),
        ({"embeddings": VECTORS, "strategy": "diversity", "objective": "mmr"}, UsageError, "'mmr' needs scores"),
        ({"scores": [1, 2], "strategy": "diversity"}, UsageError, "no rows to embed"),
        ({"scores": [1.0, np.nan], "strategy": "loss_topk"}, DataError, "row 1"),
        ({"scores": [1.0, 1e300], "strategy": "loss_topk"}, DataError, "row 1"),
        ({"scores": ["a", "b"], "strategy": "loss_topk"}, DataError, "numbers expected"),
        ({"scores": [[1], [2]], "strategy": "loss_topk"}, DataError, "does not fit"),
        ({"scores": [1, 2, 3], "embeddings": VECTORS}, DataError, "does not fit"),
        ({"embeddings": [[1.0], [1.0, 2.0]], "strategy": "diversity"}, DataError, "differ in width"),
        ({"embeddings": np.zeros((3, 2), np.float32), "strategy": "diversity"}, DataError, "row 0"),
        ({"data": TABLE, "scores": "los"}, UsageError, "'loss'"),
        ({"data": 7}, UsageError, "__arrow_c_stream__"),
        ({"data": "absent.jsonl"}, UsageError, "absent.jsonl"),
        ({"data": TABLE, "dedup": "fuzzy"}, UsageError, "'exact', 'near' or 'none'"),
        ({"data": TABLE, "dedup": "exact", "dedup_threshold": 0.9}, UsageError, "does not use threshold"),
        ({"data": TABLE, "dedup_threshold": 0.9}, UsageError, "does not use threshold"),
        ({"data": TABLE, "dedup": "near", "dedup_threshold": 1.0}, UsageError, "less than 1"),
        ({"embeddings": VECTORS, "strategy": "diversity", "dedup": "exact"}, UsageError, "no rows to compare"),
        ({"scores": [1, 2], "strategy": "loss_topk", "dedup": "near"}, UsageError, "no rows to embed"),
        ({"scores": [1, 2], "strategy": "random", "metric": "dot"}, UsageError, "does not use metric"),
        ({"data": TABLE, "mmr_lambda": 0.1}, UsageError, "does not use mmr_lambda"),
        ({"data": TABLE, "objective": "mmr", "dpp_eps": 0.2}, UsageError, "does not use dpp_eps"),
        ({"scores": [1, 2], "pin": 1}, UsageError, "pin: this is no list of ids"),
        ({"scores": [1, 2], "exclude": b"01"}, UsageError, "exclude: this is no list of ids"),
        ({"scores": [1, 2], "pin": ["\ud800"]}, UsageError, "no row has the id"),
        ({"data": TABLE, "pin": ["row 5"]}, UsageError, "hint: column 'text' holds it: pass --id-column text"),
        ({"scores": [1, 2], "groups": [1.5, 2.0]}, DataError, "groups, row 0: rows cannot be counted"),
        ({"scores": [1, 2], "groups": [1, {}]}, DataError, "groups, row 1: rows cannot be counted"),
        ({"scores": [1, 2], "groups": [[1], [1, 2]]}, DataError, "groups, row 0: rows cannot be counted"),
        ({"scores": [1, 2], "groups": [[1], [2]]}, DataError, "groups: this array does not fit"),
        ({"scores": [1, 2], "groups": ["a", None]}, DataError, "groups, row 1: 1 rows have no value"),
        ({"scores": [1, 2], "groups": ["a", "\ud800"]}, DataError, "groups, row 0: rows cannot be counted"),
        ({"scores": [1, 2], "lengths": [0, -1]}, DataError, "(?s)lengths, row 1.*got: -1"),
        ({"scores": [1, 2], "lengths": np.full(2, 2**63, np.uint64)}, DataError, "lengths are too large"),
        (
            {"embeddings": 1e4 * VECTORS, "strategy": "diversity", "objective": "dpp", "metric": "dot"},
            UsageError,
            "eps must be from",
        ),
    ],
)
def test_refused(arguments: dict[str, Any], error: type[SageError], message: str) -> None:
    with pytest.raises(error, match=message):
        sage_select.select(**arguments)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("higher_is_harder", [True, False])
def test_a_bad_score_is_told_alike_whoever_finds_it(bad: float, higher_is_harder: bool) -> None:
    values = np.arange(2000.0)
    values[[1203, 1700]] = bad
    told = set()
    # Float32 scores of loss_topk are looked at by the kernel, all others before.
    for dtype in (np.float32, np.float64):
        for strategy in ("loss_topk", "random"):
            with pytest.raises(DataError) as refused:
                sage_select.select(
                    scores=values.astype(dtype), strategy=strategy, k=5, higher_is_harder=higher_is_harder
                )
            told.add(str(refused.value))
    expected = (
        "scores, row 1203: 2 scores are not finite numbers\n  expected: a number within float32\n"
        f"  got: {bad}\n  hint: --on-bad-score drop leaves such rows out, and lowest puts them behind all others"
    )
    assert told == {expected}


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f4", "float64", "int8", "uint64"])
def test_scores_of_every_kind_rank_alike(dtype: str) -> None:
    values = np.array([3, 1, 0, 2, 3, 1]).astype(dtype)
    chosen = sage_select.select(scores=values, strategy="loss_topk", k=4)
    assert chosen.indices.tolist() == [0, 4, 3, 1]
    assert chosen.table().sort_by("sage_rank")["sage_score"].to_pylist() == [3, 3, 2, 1]


def test_what_a_selection_is() -> None:
    chosen = sage_select.select(TABLE, k=2, strategy="loss_topk", scores="loss")
    assert repr(chosen) == "Selection(2 of 6 rows)"
    assert chosen.indices.tolist() == [5, 1]
    assert chosen.reasons == ["score", "score"]
    assert np.isnan(chosen.gains).all()
    assert chosen.table().sort_by("sage_rank")["loss"].to_pylist() == [4.0, 3.0]
    assert chosen.evidence == {"dedup": {"mode": "exact", "groups": 0, "largest_groups": []}}


def test_the_evidence_says_how() -> None:
    chosen = sage_select.select(embeddings=VECTORS, k=2, strategy="diversity")
    assert chosen.evidence == {"objective": "facility", "objective_method": "dense"}


def test_metrics_are_computed_once_and_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    measured = compare.measure
    monkeypatch.setattr(compare, "measure", lambda *args: calls.append(1) or measured(*args))
    chosen = sage_select.select(TABLE, k=2, strategy="diversity", embeddings=VECTORS)
    assert chosen.table().num_rows == len(chosen.reasons) == 2
    assert not calls
    # Rows that are all at right angles: two picks represent two of six, whichever they are.
    assert chosen.metrics["coverage"]["figures"]["coverage"] == {
        "selected": pytest.approx(1 / 3, abs=1e-6),
        "random": dict.fromkeys(("mean", "least", "most"), pytest.approx(1 / 3, abs=1e-6)),
    }
    assert chosen.metrics["lengths"]["total"]["selected"] == 4
    assert len(calls) == 1


def test_objectives_take_their_options() -> None:
    def chosen(**options: Any) -> list[int]:
        picks: list[int] = sage_select.select(
            TABLE, k=4, strategy="diversity", scores="loss", **options
        ).indices.tolist()
        return picks

    assert sorted(chosen(objective="graph_cut", cut_lambda=0)) != sorted(chosen(objective="graph_cut", cut_lambda=100))
    assert chosen(objective="mmr", mmr_lambda=1) == [5, 1, 3, 2]
    assert chosen(objective="mmr", mmr_lambda=0)[0] == 5
    assert chosen(objective="dpp", dpp_eps=1e6) == [5, 1, 3, 2]


def test_progress_is_called_from_the_calling_thread() -> None:
    seen: list[tuple[int, int]] = []
    vectors = np.random.default_rng(0).normal(size=(3000, 32))
    sage_select.select(embeddings=vectors, k=100, strategy="diversity", progress=lambda *step: seen.append(step))
    assert seen
    assert all(0 <= done <= total for done, total in seen)


COPIES = pa.table({"text": ["a", "b", " a", "c", "b", "d e f"]})
#: Row 3 is near to row 0, row 5 to row 1.
NEAR = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0, 1, 0.2]], np.float32)


@pytest.mark.parametrize(
    ("mode", "stay", "duplicate_of"),
    [("exact", [0, 1, 3, 5], [-1, -1, 0, -1, 1, -1]), ("near", [0, 1], [-1, -1, 0, 0, 1, 1])],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_row_numbers_are_those_of_the_input(mode: str, stay: list[int], duplicate_of: list[int], strategy: str) -> None:
    rule = {"strategy": strategy, "dedup": mode, "budget": "100%", **wanted(strategy, NEAR[:1], of=NEAR)}
    vectors = NEAR if mode == "near" or "vectors" in STRATEGIES[strategy].needs_always else None
    chosen = sage_select.select(COPIES, scores=np.arange(6)[::-1], embeddings=vectors, **rule)
    assert sorted(chosen.indices.tolist()) == stay
    assert chosen.duplicate_of.tolist() == duplicate_of
    assert repr(chosen) == f"Selection({len(stay)} of 6 rows)"
    assert sorted(chosen.table()["text"].to_pylist()) == sorted(COPIES["text"].take(stay).to_pylist())
    if strategy == "loss_topk":
        assert chosen.indices.tolist() == stay
        assert chosen.table().sort_by("sage_rank")["sage_score"].to_pylist() == [5 - row for row in stay]


def test_the_strategy_follows_what_there_is() -> None:
    plain = sage_select.select(COPIES, budget="50%")
    assert set(plain.reasons) == {"diversity"}
    assert [notice for notice in plain.notices if "no scores given" in notice]
    assert plain.indices.tolist() == sage_select.select(COPIES, budget="50%", strategy="diversity").indices.tolist()
    scored = sage_select.select(COPIES, budget="50%", scores=np.arange(6.0))
    assert set(scored.reasons) == {"diversity"}
    assert [notice for notice in scored.notices if "no rows that are out of line" in notice]
    assert scored.indices.tolist() == plain.indices.tolist()
    words = sage_select.select(COPIES, budget="50%", strategy="hybrid")
    assert set(words.reasons) == {"score", "diversity"}
    assert [notice for notice in words.notices if "'diversity' serves better" in notice]
    # An option of hybrid chooses it.
    rule = {"budget": "50%", "scores": np.arange(6.0)}
    chosen = sage_select.select(COPIES, **rule, score_share=0.6)
    assert chosen.indices.tolist() == sage_select.select(COPIES, **rule, strategy="hybrid").indices.tolist()
    with pytest.raises(
        UsageError, match=r"(?s)'diversity', the default without scores, does not use score_share.*hybrid"
    ):
        sage_select.select(COPIES, budget="50%", score_share=0.5)
    # Arrays say nothing that could be the same.
    assert len(sage_select.select(embeddings=NEAR, k=6)) == 6


def test_rows_with_nothing_to_train_leave_and_keep_their_numbers() -> None:
    table = pa.table({"question": list("abcdefgh"), "answer": ["x", "", "y", None, "z", " \n", "w", "v"]})
    whole = [0, 2, 4, 6, 7]
    numbers = np.arange(8, dtype=np.float32)
    numbers[1] = np.nan  # what belongs to a row that left is not looked at
    chosen = sage_select.select(
        table, scores=numbers, strategy="loss_topk", budget="60%", groups=list("abababab"),
        lengths=np.arange(8), quota="groups=:2", exclude=[],
    )  # fmt: skip
    assert chosen.indices.tolist() == [7, 6, 4]
    assert repr(chosen) == "Selection(3 of 8 rows)"
    assert sorted(sage_select.select(table, budget="100%", strategy="random").indices.tolist()) == whole
    assert chosen.table().sort_by("sage_rank")["sage_score"].to_pylist() == [7, 6, 4]
    with pytest.raises(UsageError, match=r"(?s)than the 5 rows.*8 rows were read, of which left: 3 nothing to train"):
        sage_select.select(table, k=6)
    named = table.append_column("id", pa.array([f"id-{row}" for row in range(8)]))
    assert 7 not in sage_select.select(named, k=4, id_column="id", exclude=["id-7", "id-1"]).indices
    with pytest.raises(UsageError, match="'id-3' is pinned, and cannot be selected: source: nothing to train"):
        sage_select.select(named, k=4, id_column="id", pin=["id-2", "id-3"])
    with pytest.raises(DataError, match="no row has anything to train"):
        sage_select.select(table.slice(3, 1), k=1)
    # Queries are looked for, and not trained.
    asked = table.append_column("query", pa.array([row in (1, 2) for row in range(8)]))
    found = sage_select.select(asked, strategy="target", query_column="query", k=2)
    assert not {1, 2, 3, 5} & set(found.indices.tolist())
    assert found.evidence["queries_with_a_row"] == 2


def test_near_copies_of_vectors_alone() -> None:
    chosen = sage_select.select(embeddings=NEAR, strategy="random", dedup="near", budget="100%")
    assert sorted(chosen.indices.tolist()) == [0, 1]
    assert chosen.evidence["dedup"]["groups"] == 2


def test_copies_leave_unless_they_are_wanted() -> None:
    chosen = sage_select.select(COPIES, strategy="random", budget="100%")
    assert sorted(chosen.indices.tolist()) == [0, 1, 3, 5]
    assert chosen.duplicate_of.tolist() == [-1, -1, 0, -1, 1, -1]
    chosen = sage_select.select(COPIES, strategy="random", budget="100%", dedup="none")
    assert sorted(chosen.indices.tolist()) == list(range(6))
    assert chosen.duplicate_of.tolist() == [-1] * 6


def test_budgets_are_of_the_rows_that_stay() -> None:
    assert len(sage_select.select(COPIES, strategy="random", dedup="exact", budget="50%")) == 2
    with pytest.raises(UsageError, match="budget of 5 rows is more than the 4 rows"):
        sage_select.select(COPIES, strategy="random", dedup="exact", k=5)
    assert len(sage_select.select(COPIES, strategy="random", dedup="exact", k=5, clamp=True)) == 4


def test_the_first_row_of_k_center_may_repeat_another() -> None:
    chosen = sage_select.select(
        COPIES, embeddings=NEAR, strategy="diversity", objective="kcenter", outlier_guard=0, dedup="near", k=2, start=4
    )
    assert chosen.indices.tolist() == [1, 0]
    with pytest.raises(UsageError, match=r"(?s)start names no row.*below 6"):
        sage_select.select(
            COPIES, embeddings=NEAR, strategy="diversity", objective="kcenter", dedup="near", k=2, start=6
        )


@pytest.mark.parametrize("mode", ["exact", "near"])
def test_faults_of_rows_are_named_by_their_numbers_in_the_input(mode: str) -> None:
    scores = np.arange(6, dtype=np.float32)
    scores[5] = np.nan
    vectors = NEAR if mode == "near" else None
    with pytest.raises(DataError, match="row 5"):
        sage_select.select(COPIES, scores=scores, embeddings=vectors, strategy="loss_topk", dedup=mode, k=1)
    bad = NEAR.copy()
    bad[5] = np.inf
    with pytest.raises(DataError, match="row 5"):
        sage_select.select(COPIES, scores=np.arange(6), embeddings=bad, dedup=mode, k=1)


@pytest.mark.parametrize("mode", ["exact", "near"])
def test_queries_among_the_rows_repeat_none_and_none_repeats_them(mode: str) -> None:
    # The first row and the fifth are queries; a row says the same as each.
    table = COPIES.append_column("query", pa.array([True, False, False, False, True, False]))
    chosen = sage_select.select(
        table, embeddings=NEAR, strategy="target", query_column="query", dedup=mode, budget="100%"
    )
    # Near to one another are the third row and the fourth, and the second and the last.
    left = {3: 2, 5: 1} if mode == "near" else {}
    assert {row: leader for row, leader in enumerate(chosen.duplicate_of.tolist()) if leader >= 0} == left
    assert sorted(chosen.indices.tolist()) == [row for row in (1, 2, 3, 5) if row not in left]


def test_rows_without_ids_are_known_by_their_numbers_in_the_input() -> None:
    vectors = np.repeat(np.eye(5, dtype=np.float32), 2, axis=0)
    chosen = sage_select.select(embeddings=vectors, strategy="random", dedup="near", budget="100%")
    table = chosen.table().sort_by("sage_rank")
    assert table["sage_row_id"].to_pylist() == [str(row) for row in chosen.indices]
    # Draws follow the rows: those of all rows, without the rows that left.
    every = sage_select.select(embeddings=vectors, strategy="random", budget="100%")
    assert chosen.indices.tolist() == [row for row in every.indices if row % 2 == 0]


def test_the_first_picks_are_those_of_a_smaller_budget() -> None:
    rule = {"scores": np.arange(9), "embeddings": np.eye(9), "pin": [4], "exclude": [8]}
    large = sage_select.select(**rule, k=6, strategy="loss_topk")
    for k in range(1, 7):
        small = sage_select.select(**rule, k=k, strategy="loss_topk")
        assert large.top(k).table().equals(small.table())
        assert large.top(k).reasons == small.reasons == ["pinned"] + ["score"] * (k - 1)
        assert large.top(k).metrics == small.metrics
    with pytest.raises(UsageError, match="the selection has 6 rows"):
        large.top(7)
    with pytest.raises(UsageError, match="divides its budget"):
        sage_select.select(**rule, k=6, strategy="hybrid").top(3)
    assert sage_select.select(**rule, k=6).top(3).indices.tolist() == sage_select.select(**rule, k=3).indices.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("mode", ["top", "band", "stratified"])
def test_no_bad_score_hides_behind_a_limit(mode: str, bad: float) -> None:
    scores = np.arange(9, dtype=np.float32)
    scores[3] = bad
    with pytest.raises(DataError, match="scores, row 3"):
        sage_select.select(scores=scores, embeddings=np.eye(9), k=2, strategy="loss_topk", score_mode=mode, exclude=[3])


def test_lists_of_ids_may_be_paths(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("2\n")
    chosen = sage_select.select(scores=[1, 2, 3, 4], strategy="loss_topk", k=2, pin=tmp_path / "ids", exclude=[3])
    assert chosen.indices.tolist() == [2, 1]


def test_groups_of_every_kind_count_alike() -> None:
    kinds: list[Any] = [
        ["a", "a", "b"],
        [True, True, False],
        np.array([2**63 + 5, 2**63 + 5, 1], np.uint64),
        pa.array(["a", "a", "b"], pa.large_string()).dictionary_encode(),
        pa.chunked_array([["a"], ["a", "b"]], pa.string_view()),
    ]
    for groups in kinds:
        chosen = sage_select.select(scores=[3, 2, 1], strategy="loss_topk", k=2, groups=groups)
        assert chosen.indices.tolist() == [0, 2]


def test_any_budget_in_tokens_is_one() -> None:
    chosen = sage_select.select(scores=[3, 2, 1], strategy="loss_topk", budget=f"{2**100} tokens", lengths=[1, 2, 3])
    assert chosen.indices.tolist() == [0, 1, 2]


def _with_a_wrong_offset(array: pa.Array) -> pa.Array:
    """Return the array with an offset that leads far outside its values."""
    validity, offsets = array.buffers()[:2]
    numbers = np.frombuffer(offsets, np.int32).copy()
    numbers[2] = 0x7F000000
    if pa.types.is_list(array.type):
        return pa.ListArray.from_arrays(pa.array(numbers, pa.int32()), array.values)
    return pa.Array.from_buffers(array.type, len(array), [validity, pa.py_buffer(numbers), array.buffers()[2]])


def test_damaged_arrow_arrays_are_refused_at_the_door() -> None:
    lists = _with_a_wrong_offset(pa.array([[float(i), 1.0] for i in range(6)], pa.list_(pa.float32())))
    texts = _with_a_wrong_offset(pa.array([f"group {i}" for i in range(6)]))
    rows = [{"text": f"row {i}"} for i in range(6)]
    for name, value, more in (
        ("embeddings", lists, {}),
        ("embeddings", pa.chunked_array([lists]), {}),
        ("scores", texts, {}),
        ("groups", texts, {"quota": "balanced"}),
        ("queries", lists, {"embeddings": np.eye(6, 2, dtype=np.float32) + 1, "strategy": "target"}),
        ("pin", texts, {}),
        ("exclude", pa.chunked_array([texts]), {}),
    ):
        with pytest.raises(DataError, match=f"{name}: is damaged"):
            sage_select.select(rows, k=2, **{name: value}, **more)
