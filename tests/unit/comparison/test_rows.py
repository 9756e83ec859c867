"""The rows of an arm: what of the pool's own stages a method makes use of, and how rows come in groups."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from sage_select.comparison.rows import Pool, groups_of
from sage_select.errors import DataError, UsageError
from sage_select.methods import MethodSpec, known_methods
from sage_select.stages import Embed, Score, Source

METHODS = known_methods()


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    rows = [{"text": f"row {number} of many words", "loss": number, "week": "ba"[number // 3]} for number in range(6)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "held.jsonl").write_text(json.dumps({"text": "something else"}) + "\n")
    source = Source.make(path=str(tmp_path / "rows.jsonl"), text_column="text")
    steps = (source, Score.make(scorer="column", column="loss"), Embed.make(encoder="hashing", dimensions=16))
    return Pool(steps, str(tmp_path / "held.jsonl"), cache=False)


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("B1_coreset_loss", ["score"]),
        ("B2_coreset_diversity", ["score", "embed"]),
        ("B3_coreset_hybrid", ["score", "embed"]),
        ("B4_coreset_random", ["score"]),
        ("E_curriculum", ["score"]),
    ],
)
def test_a_method_has_those_stages_of_the_pool_that_it_makes_use_of(pool: Pool, name: str, used: list[str]) -> None:
    steps = [step.name for step in pool.chain(METHODS[name], 0).steps]
    assert [step for step in steps if step in ("score", "embed")] == used


def test_what_a_method_names_itself_and_nothing_uses_is_told(pool: Pool) -> None:
    odd = MethodSpec.of("odd", {"summary": "x", "steps": [{"embed": {"encoder": "hashing"}}, {"order": {}}]})
    with pytest.raises(UsageError, match="no stage uses embeddings"):
        pool.chain(odd, 0)


def test_rows_come_in_the_groups_of_a_column_as_these_first_come_in_the_pool(pool: Pool, tmp_path: Path) -> None:
    path = pool.build(METHODS["A_baseline"], 0, tmp_path / "out.arrow")
    groups = list(groups_of(path, "week", 2))
    assert [name for name, _ in groups] == ["b", "a"]
    assert [sorted(table["loss"].to_pylist()) for _, table in groups] == [[0, 1, 2], [3, 4, 5]]
    whole = pa.ipc.open_file(path).read_all()["loss"].to_pylist()
    assert [table["loss"].to_pylist() for _, table in groups] == [
        [one for one in whole if one < 3],
        [one for one in whole if one > 2],
    ]


def test_without_a_column_the_groups_are_parts_of_the_pool_in_its_order(pool: Pool, tmp_path: Path) -> None:
    path = pool.build(METHODS["A_baseline"], 0, tmp_path / "out.arrow")
    groups = list(groups_of(path, None, 3))
    assert [(name, sorted(table["loss"].to_pylist())) for name, table in groups] == [
        ("part 1", [0, 1]),
        ("part 2", [2, 3]),
        ("part 3", [4, 5]),
    ]


def test_a_column_that_is_not_there_or_has_gaps_is_refused(pool: Pool, tmp_path: Path) -> None:
    path = pool.build(METHODS["A_baseline"], 0, tmp_path / "out.arrow")
    with pytest.raises(UsageError, match="no column 'month'") as caught:
        list(groups_of(path, "month", 2))
    assert "text, loss, week" in str(caught.value)
    rows = [{"text": "a b c", "week": None}, {"text": "d e f", "week": "x"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    gaps = Pool(pool.steps[:1], pool.held_out, cache=False).build(METHODS["A_baseline"], 0, tmp_path / "gaps.arrow")
    with pytest.raises(DataError, match="1 rows have no value of 'week'"):
        list(groups_of(gaps, "week", 2))


def test_rows_of_several_sources_are_one_pool(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "more.jsonl").write_text(json.dumps({"text": "one row more of words", "loss": 9, "week": "c"}) + "\n")
    more = Source.make(path=str(tmp_path / "more.jsonl"), text_column="text")
    both = Pool((pool.steps[0], more, *pool.steps[1:]), pool.held_out, cache=False)
    assert both.read().rows == 7
    path = both.build(METHODS["A_baseline"], 0, tmp_path / "out.arrow")
    assert sorted(pa.ipc.open_file(path).read_all()["loss"].to_pylist()) == [0, 1, 2, 3, 4, 5, 9]


def test_rows_that_a_replay_step_would_add_are_refused(pool: Pool) -> None:
    odd = MethodSpec.of("odd", {"summary": "x", "steps": [{"replay": {"buffer": "earlier"}}]})
    with pytest.raises(UsageError, match="not compared with those to evaluate on"):
        pool.chain(odd, 0)
