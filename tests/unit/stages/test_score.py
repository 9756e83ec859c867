"""The score stage: what becomes of scores that rank nothing, and what is said of those that rank little."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import sage_select
from sage_select import DataError, SageWarning, Selection, UsageError
from sage_select.stages import Score

N = 40
TEXTS = [f"row {row} says thing {row * row}" for row in range(N)]


def table(scores: Any, kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"text": TEXTS[: len(scores)], "quality": pa.array(scores, kind)})


def chosen(data: Any, k: int = 3, **options: Any) -> Selection:
    return sage_select.select(data, k=k, strategy="loss_topk", **options)


BAD = [7.0, None, 3.0, float("nan"), 9.0, float("inf"), -1.0, float("-inf"), 5.0]


def test_a_bad_score_is_an_error_that_names_the_first_row_and_the_way_on() -> None:
    with pytest.raises(DataError) as refused:
        chosen(table(BAD), scores="quality")
    said = str(refused.value)
    assert "row 1, column 'quality': 4 scores are not finite numbers" in said
    assert "got: null or NaN" in said
    assert "--on-bad-score drop leaves such rows out" in said


@pytest.mark.parametrize("lower", [False, True])
def test_rows_without_a_score_leave_and_are_counted(lower: bool) -> None:
    with pytest.warns(SageWarning, match=r"null, NaN or infinite\) in 4 rows of 9, left out: .*row 1"):
        picked = chosen(table(BAD), scores="quality", on_bad_score="drop", higher_is_harder=not lower)
    assert picked.indices.tolist() == ([6, 2, 8] if lower else [4, 0, 8])
    lineage = picked.lineage()
    left = [reason for reason in lineage["reason"].to_pylist() if reason and "null, NaN" in reason]
    assert len(left) == 4
    assert not {1, 3, 5, 7} & set(picked.indices.tolist())


@pytest.mark.parametrize("lower", [False, True])
def test_rows_without_a_score_come_last(lower: bool) -> None:
    with pytest.warns(SageWarning, match=f"4 rows of 9, put last with {9 if lower else -1}"):
        picked = chosen(table(BAD), k=9, scores="quality", on_bad_score="lowest", higher_is_harder=not lower)
    order = [6, 2, 8, 0, 1, 3, 4, 5, 7] if lower else [4, 0, 8, 2, 1, 3, 5, 6, 7]
    assert picked.indices.tolist() == order, "ties go to the lowest row"


@pytest.mark.parametrize("mode", ["drop", "lowest"])
def test_a_pinned_row_cannot_leave_for_its_score(mode: str) -> None:
    options = {"scores": "quality", "on_bad_score": mode, "pin": [1]}
    if mode == "drop":
        with pytest.raises(UsageError, match=r"is pinned, and has no score that can be used\n  got: .*row 1"):
            chosen(table(BAD), **options)
        return
    with pytest.warns(SageWarning, match="put last"):
        assert 1 in chosen(table(BAD), **options).indices


@pytest.mark.parametrize("mode", ["drop", "lowest"])
def test_where_no_row_has_a_score_nothing_can_be_chosen(mode: str) -> None:
    for values, kind in (([None] * 5, pa.float32()), ([None] * 5, None), ([float("nan")] * 5, None)):
        with pytest.raises(DataError, match="no row has a score that can be used"):
            chosen(table(values, kind), scores="quality", on_bad_score=mode)


def test_arrays_and_lists_with_bad_scores() -> None:
    for scores in (BAD, np.array(BAD, float), np.array(BAD, np.float32)):
        with pytest.warns(SageWarning, match="left out"):
            picked = chosen(None, scores=scores, on_bad_score="drop")
        assert picked.indices.tolist() == [4, 0, 8]
    with pytest.raises(DataError, match="row 1"):
        chosen(None, scores=np.array(BAD, np.float32))


def test_a_build_that_drops_depends_on_nothing_that_left() -> None:
    with pytest.warns(SageWarning, match="left out"):
        picked = chosen(table([float(row % 13) for row in range(N - 1)] + [None]), scores="quality",
                        on_bad_score="drop", k=10)  # fmt: skip
    alone = chosen(table([float(row % 13) for row in range(N - 1)]), scores="quality", k=10)
    assert picked.indices.tolist() == alone.indices.tolist()


def test_scores_that_tell_no_rows_apart_are_told_as_such() -> None:
    with pytest.warns(SageWarning, match="all 40 rows have the same score, 2: it tells none of them apart"):
        chosen(table([2] * N), scores="quality")
    with pytest.warns(SageWarning, match=r"have 3 values, from 0 \(14 rows\) to 2 \(13 rows\)"):
        picked = chosen(table([row % 3 for row in range(N)]), scores="quality")
    assert picked.indices.tolist() == [2, 5, 8], "the lowest of equal rows"


@pytest.mark.parametrize("scores", [list(range(N)), [row // 2 for row in range(N)], [1], [3, 3.5]])
def test_scores_that_do_are_not(scores: list[float], recwarn: pytest.WarningsRecorder) -> None:
    chosen(table(scores), k=1, scores="quality")
    assert not [str(warning.message) for warning in recwarn]


def test_what_a_plan_says() -> None:
    assert Score.make(column="q").describe() == "column 'q', higher is harder"
    assert Score.make(column="q", on_bad_score="drop").describe().endswith("rows without a usable score are left out")
    assert Score.make(lexical_measure="repetition").describe().endswith("lower is harder")
    turned = Score.make(lexical_measure="repetition", higher_is_harder=True)
    assert turned.describe().endswith("higher is harder")
    assert (Score.make(column="q").effect_here, Score.make(column="q", on_bad_score="drop").effect_here) == (
        "keeps",
        "drops",
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"higher_is_harder": False}, "has its own"),
        ({"lexical_measure": "difficulty", "higher_is_harder": False}, "has its own"),
        ({"lexical_measure": "words", "lexical_ngram": 2}, "does not use lexical_ngram"),
        ({"lexical_measure": "rarity", "lexical_window": 2}, "does not use lexical_window"),
        ({"lexical_measure": "rarity", "lexical_ngram": 0}, "at least 1"),
        ({"lexical_measure": "length"}, "expected 'difficulty', 'words'"),
        ({"column": "q", "lexical_measure": "words"}, "does not use lexical_measure"),
        ({"lexical_measure": "rarity", "on_bad_score": "drop"}, "gives every row one"),
        ({"on_bad_score": "lowest"}, "needs scores that may be missing"),
        ({"column": "q", "on_bad_score": "skip"}, "expected 'error', 'drop' or 'lowest'"),
    ],
)
def test_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Score.make(**settings)


@pytest.mark.filterwarnings("ignore::sage_select.SageWarning")
@pytest.mark.parametrize(
    ("measure", "first"),
    # The first two share a diversity of 1, and the shortest is compressed least: of these the notices tell.
    [("words", 2), ("characters", 2), ("entropy", 1), ("diversity", 0), ("compression", 0), ("repetition", 0),
     ("rarity", 1)],
)  # fmt: skip
def test_the_hardest_row_of_each_measure_is_picked(measure: str, first: int) -> None:
    texts = ["red cats eat", "blue whales sing slow songs far below cold northern seas", "red cats eat " * 30]
    scored = sage_select.select(
        pa.table({"text": texts}), k=1, strategy="loss_topk", lexical_measure=measure, verify=False
    )
    assert scored.indices.tolist() == [first]


def test_rows_too_short_for_a_measure_are_told() -> None:
    with pytest.warns(SageWarning, match="40 rows of 40 have fewer than 50 words"):
        chosen(pa.table({"text": TEXTS}), lexical_measure="diversity")
    with pytest.warns(SageWarning, match="40 rows of 40 have fewer than 256 bytes"):
        chosen(pa.table({"text": TEXTS}), lexical_measure="compression")
