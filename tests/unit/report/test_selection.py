"""The report of a selection: where its vectors are from, and what is absent with which reason."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sage_select
from sage_select import io, kernels
from sage_select.cache import Computed
from sage_select.errors import DataError, OutputError, UsageError
from sage_select.io.commit.names import OutputNames
from sage_select.pipeline.run import Silence
from sage_select.report import write_report
from sage_select.report.charts.bars import Remaining
from sage_select.report.selection import Facts, selection_page
from sage_select.report.selection.asked import fate
from sage_select.report.selection.projection import projected
from sage_select.report.selection.regions import found_regions, typical_words
from sage_select.report.selection.vectors import PoolVectors, _AbsentError, _held_alone, pool_vectors


def vectors_of(path: Path, **options: Any) -> tuple[Facts, PoolVectors | str]:
    facts = Facts.read(path)
    return facts, pool_vectors(facts, Silence(), **options)


def check_against_the_row_report(facts: Facts, vectors: PoolVectors | str) -> None:
    """The nearest pick of each row, by these vectors, must be as near as the row report has it."""
    assert isinstance(vectors, PoolVectors), vectors
    pool = facts.pool
    assert not isinstance(pool, str)
    assert facts.report is not None
    array = vectors.of(np.arange(vectors.n))
    expected = pa.compute.coalesce(facts.report["nearest_similarity"], 1.0).to_numpy()[pool.rows]
    found = (array @ array[pool.picks].T).max(1)
    assert np.abs(found - expected).max() < 1e-5
    assert len(pool.picks) == facts.kept
    assert vectors.n > facts.kept


SOURCES: dict[str, dict[str, Any]] = {
    "made anew by the hashing encoder": {"select": {"strategy": "diversity", "budget": 20}},
    "made anew after copies have left": {
        "embed": {"encoder": "hashing", "dimensions": 64},
        "dedup": {"mode": "near"},
        "select": {"strategy": "diversity", "budget": 20},
    },
    "centred": {
        "embed": {"encoder": "hashing", "dimensions": 32, "center": True},
        "select": {"strategy": "diversity", "budget": 20},
    },
    "of an array": {"embed": {"file": "vectors.npy"}, "select": {"strategy": "diversity", "budget": 20}},
    "of a table by ids": {"embed": {"file": "table.parquet"}, "select": {"strategy": "diversity", "budget": 20}},
    "of a column": {
        "source": {"path": "columns.parquet"},
        "embed": {"encoder": "column", "column": "where"},
        "select": {"strategy": "diversity", "budget": 20},
    },
}


@pytest.mark.parametrize("name", SOURCES)
def test_vectors_are_those_of_the_run(name: str, pool: Path, build: Callable[..., Path]) -> None:
    array = np.load(pool / "vectors.npy")
    lists = pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), 8)
    rows = io.read(pool / "rows.jsonl").table
    order = np.random.default_rng(1).permutation(240)
    table = pa.table({"sage_row_id": rows["id"].take(order), "vector": lists.take(pa.array(order))})
    pq.write_table(table, pool / "table.parquet")
    pq.write_table(rows.append_column("where", lists), pool / "columns.parquet")
    steps = {stage: dict(settings) for stage, settings in SOURCES[name].items()}
    for stage, key in (("embed", "file"), ("source", "path")):
        if key in steps.get(stage, {}):
            steps[stage][key] = str(pool / steps[stage][key])
    facts, vectors = vectors_of(build(**steps))
    check_against_the_row_report(facts, vectors)


def test_vectors_that_are_not_to_be_had_are_absent_with_the_reason(pool: Path, build: Callable[..., Path]) -> None:
    random = build(select={"strategy": "random", "budget": 20})
    assert "compares no vectors" in str(vectors_of(random)[1])
    given = vectors_of(random, embeddings=str(pool / "vectors.npy"))[1]
    assert isinstance(given, PoolVectors)
    assert given.n == 240
    np.save(pool / "short.npy", np.ones((3, 8), np.float32))
    with pytest.raises(DataError):
        vectors_of(random, embeddings=str(pool / "short.npy"))
    alone = build(select={"strategy": "diversity", "budget": 20}, sink={"rows": False})
    assert "no row report" in str(vectors_of(alone)[1])
    shutil.copy(pool / "rows.jsonl", pool / "moved.jsonl")
    shutil.copy(pool / "vectors.npy", pool / "other.npy")
    moved = build(source={"path": str(pool / "moved.jsonl")}, select={"strategy": "diversity", "budget": 20})
    of_file = build(embed={"file": str(pool / "other.npy")}, select={"strategy": "diversity", "budget": 20})
    np.save(pool / "other.npy", np.ones((240, 8), np.float32))
    assert "not as it was" in str(vectors_of(of_file)[1])
    with (pool / "moved.jsonl").open("a") as file:
        file.write('{"text": "one more", "id": "more", "loss": 1, "kind": "a"}\n')
    assert "not as it was" in str(vectors_of(moved)[1])
    (pool / "moved.jsonl").unlink()
    assert "cannot be read again" in str(vectors_of(moved)[1])
    assert vectors_of(moved, embeddings=str(pool / "vectors.npy"))[1].n == 240  # type: ignore[union-attr]


def test_vectors_from_memory_are_asked_for(tmp_path: Path) -> None:
    rows = [{"text": f"say {i} and {i % 5}"} for i in range(40)]
    array = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    path = sage_select.select(rows, k=6, strategy="diversity", embeddings=array).write(tmp_path / "out.arrow")
    assert "in memory" in str(vectors_of(path)[1])
    path = sage_select.select(rows, k=6, strategy="diversity").write(tmp_path / "words.arrow")
    assert "in memory" in str(vectors_of(path)[1])


def test_no_model_is_run() -> None:
    def computed(start: int, stop: int) -> Computed:
        raise AssertionError("a model was run")

    def blocks(_identity: Any, of: Any, compute: Any) -> Any:
        for span in of:
            yield compute(*span).table

    with pytest.raises(_AbsentError, match="not in the cache"):
        list(_held_alone(blocks)(lambda: None, [(0, 2)], computed))


def test_the_map_is_that_of_principal_components() -> None:
    draw = np.random.default_rng(5)
    for n, d in ((90, 12), (40, 60), (120, 48), (2, 3), (1, 4)):
        array = (draw.normal(size=(n, d)) * np.geomspace(4, 0.1, d)).astype(np.float32)
        vectors = PoolVectors("", n, d, False, array, np.arange(n))
        found = projected(vectors, kernels.keyed_hashes(1, n))
        centred = array.astype(np.float64) - array.mean(0, dtype=np.float64)
        plain = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
        if n > 2:
            plain /= np.abs(plain).max()
            signs = np.sign((found.points * plain).sum(0))
            assert np.abs(found.points - plain * signs).max() < 1e-3
            values = np.linalg.svd(centred, compute_uv=False) ** 2
            assert np.allclose(found.explained, values[:2] / values.sum(), atol=1e-6)
        assert np.isfinite(found.points).all()
        assert found.points.shape == (n, 2)


def test_regions_are_found_and_named_by_their_words() -> None:
    draw = np.random.default_rng(7)
    centres = np.eye(3, 6, dtype=np.float32) * 5
    of = np.repeat([0, 1, 2], [60, 40, 20])
    array = centres[of] + draw.normal(size=(120, 6)).astype(np.float32) * 0.2
    words = [f"the {('planes', 'beans', 'songs')[one]} and thing{i % 9}" for i, one in enumerate(of)]
    vectors = PoolVectors("", 120, 6, False, array, np.arange(120))
    hashes = kernels.keyed_hashes(2, 120)
    regions = found_regions(vectors, projected(vectors, hashes))
    assert all(len(set(of[regions.of == region])) == 1 for region in range(len(regions.sizes)))
    assert regions.sizes.sum() == 120
    assert (np.diff(regions.sizes) <= 0).all()
    typical = typical_words(regions, lambda rows: [words[row] for row in rows], hashes)
    for region, found in enumerate(typical):
        first = of[regions.of == region][0]
        assert ("planes", "beans", "songs")[first] in found[:1] or len(regions.sizes) > 3
        assert "the" not in found


def test_the_page_says_what_is_absent_and_why(build: Callable[..., Path], blank: None) -> None:
    path = build(select={"strategy": "random", "budget": 20}, dedup={"mode": "none"}, sink={"rows": False})
    facts = Facts.read(path)
    absent = dict(selection_page(facts, Silence()).absent())
    for what in ("the map of the rows", "regions", "rows that were left out", "the pairs"):
        assert "row report" in absent[what], what
    assert "--quota" in absent["quotas"]
    assert "--tokenizer" in absent["the distribution of tokens"]
    path = build(select={"strategy": "random", "budget": 20}, compare={"against": "none"})
    absent = dict(selection_page(Facts.read(path), Silence()).absent())
    assert "--compare none" in absent["the comparison"]
    path = build(select={"strategy": "random", "budget": "100%"})
    page = selection_page(Facts.read(path), Silence())
    assert "every row was kept" in dict(page.absent())["rows that were left out"]
    assert page.verdict is not None


def test_a_selection_without_rows_has_a_page(build: Callable[..., Path], tmp_path: Path, blank: None) -> None:
    path = build(select={"strategy": "random", "budget": 0})
    page = write_report(path, tmp_path / "r.html")
    assert ("rows that were kept", "there are none") in page.absent


def test_every_row_is_accounted_for(hostile: Path, build: Callable[..., Path]) -> None:
    augmented = build(select={"strategy": "random", "budget": 20}, augment={"augment": "rules", "part": "all"})
    for path in (hostile, augmented):
        facts = Facts.read(path)
        chart = fate(facts).blocks[0].chart  # type: ignore[union-attr]
        assert isinstance(chart, Remaining)
        assert chart.start[1] == chart.steps[0].before
        assert all(one.after == other.before for one, other in itertools.pairwise(chart.steps))
        assert chart.steps[-1].after == chart.end[1] == facts.kept == facts.table.num_rows


def test_the_same_selection_gives_the_same_bytes(hostile: Path, tmp_path: Path, blank: None) -> None:
    first = write_report(hostile, tmp_path / "one.html", threads=1)
    assert not first.cached
    assert write_report(hostile, tmp_path / "two.html", threads=2).page.read_bytes() == first.page.read_bytes()
    assert write_report(hostile, tmp_path / "one.html").cached
    assert first.size == len(first.page.read_bytes()) < 5_000_000


def test_row_reports_of_earlier_versions_serve(build: Callable[..., Path], blank: None) -> None:
    path = build(select={"strategy": "diversity", "budget": 20})
    place = OutputNames(path).row_report
    table = pq.read_table(place)
    later = ["origin", "parent", "region", "nearest_distance", *(n for n in table.column_names if n.startswith("held"))]
    pq.write_table(table.drop_columns(later), place)
    facts = Facts.read(path, verify=False)
    assert not isinstance(pool_vectors(facts, Silence()), str)
    assert "the map of the rows" not in dict(selection_page(facts, Silence()).absent())


def test_what_is_no_selection_is_refused(hostile: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(UsageError, match="no selection"):
        write_report(tmp_path / "rows.jsonl")
    copy = tmp_path / "out.arrow"
    for part in OutputNames(hostile).parts:
        name = part.name.replace(hostile.name, copy.name)
        shutil.copy(part, tmp_path / name)
    with copy.open("ab") as file:
        file.write(b"more")
    with pytest.raises(DataError):
        write_report(copy)
    with pytest.raises(UsageError, match=r"\.html"):
        write_report(hostile, tmp_path / "r.pdf")
    (tmp_path / "mine.html").write_text("mine")
    with pytest.raises(OutputError, match="overwrite-foreign"):
        write_report(hostile, tmp_path / "mine.html", force=True)
    assert (tmp_path / "mine.html").read_text() == "mine"
