"""What Python users do with the package and with a selection, and what they hand over."""

from __future__ import annotations

import contextlib
import json
import pydoc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sage_select
from sage_select import DataError, OutputError, SageWarning, UsageError, io
from sage_select.engine import top
from sage_select.values.budget import Budget

VECTORS = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
TABLE = pa.table({"text": [f"row <b>{i}</b>\x1b[2J" for i in range(40)], "loss": [float(i % 7) for i in range(40)]})
PICKS = sage_select.select(embeddings=VECTORS, k=4, strategy="diversity", objective="kcenter").indices.tolist()


def test_dir_and_help_show_the_public_names() -> None:
    assert {name for name in dir(sage_select) if not name.startswith("__")} == set(sage_select.__all__) - {
        "__version__"
    }
    text = pydoc.plaintext.document(sage_select)
    for name in set(sage_select.__all__) - {"__version__"}:
        assert name in text
    assert "select(" in text
    assert "class Selection" in text


def chosen_from(vectors: Any) -> list[int]:
    chosen = sage_select.select(embeddings=vectors, k=4, strategy="diversity", objective="kcenter")
    return [int(row) for row in chosen.indices]


def test_vectors_of_every_kind_are_the_same_vectors() -> None:
    kinds = [
        VECTORS.tolist(),
        list(VECTORS),
        tuple(map(tuple, VECTORS.tolist())),
        pl.Series(VECTORS.tolist()),
        pl.Series(values=VECTORS.tolist(), dtype=pl.Array(pl.Float32, 4)),
        pl.DataFrame(VECTORS),
        pa.array(VECTORS.tolist()),
        pa.chunked_array([VECTORS[:5].tolist(), VECTORS[5:].tolist()]),
        np.array([*map(list, VECTORS), None], object)[:-1],
    ]
    for vectors in kinds:
        assert chosen_from(vectors) == PICKS, type(vectors)


def test_vectors_of_pandas() -> None:
    pd = pytest.importorskip("pandas")
    arrow = pd.Series(VECTORS.tolist(), dtype=pd.ArrowDtype(pa.list_(pa.float32())))
    for vectors in (pd.Series(VECTORS.tolist()), pd.Series(list(VECTORS)), arrow, pd.DataFrame(VECTORS)):
        assert chosen_from(vectors) == PICKS, type(vectors)
    with pytest.raises(DataError, match="row 1"):
        chosen_from(pd.Series([[1.0, 2.0], [1.0], [0.0, 1.0], [2.0, 2.0]]))


@pytest.mark.train
def test_vectors_of_torch() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(VECTORS)
    whole = torch.round(tensor * 8) / 8  # which bfloat16 holds exactly
    assert chosen_from(tensor) == PICKS
    assert chosen_from(tensor.double().requires_grad_()) == PICKS
    assert chosen_from(list(tensor)) == PICKS
    assert chosen_from(whole.bfloat16()) == chosen_from(whole.numpy())
    assert chosen_from(list(whole.bfloat16())) == chosen_from(whole.numpy())
    with pytest.raises(DataError, match="sparse"):
        chosen_from(tensor.to_sparse())
    scores = torch.tensor([3.0, 1.0, 2.0]).bfloat16().requires_grad_()
    assert sage_select.select(scores=scores, k=2, strategy="loss_topk").indices.tolist() == [0, 2]


def test_scores_groups_and_lengths_of_series() -> None:
    for series in (pl.Series([3, 1, 2, 0]), pa.array([3, 1, 2, 0]), pl.Series([3.0, 1.0, 2.0, 0.0], dtype=pl.Float32)):
        assert sage_select.select(scores=series, k=2, strategy="loss_topk").indices.tolist() == [0, 2]
    groups = pl.Series(["a", "a", "b", "b"])
    chosen = sage_select.select(scores=[3, 1, 2, 0], k=2, strategy="loss_topk", groups=groups)
    assert chosen.indices.tolist() == [0, 2]
    chosen = sage_select.select(
        scores=[3, 1, 2, 0], budget="5 tokens", strategy="loss_topk", lengths=pl.Series([4, 1, 9, 1])
    )
    assert chosen.indices.tolist() == [0, 1]
    with pytest.raises(DataError, match="row 1"):
        sage_select.select(scores=pl.Series([1.0, None, 2.0]), k=1, strategy="loss_topk")


def test_paths_are_files(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", VECTORS)
    np.save(tmp_path / "scores.npy", np.arange(12.0))
    assert chosen_from(tmp_path / "vectors.npy") == PICKS
    chosen = sage_select.select(scores=tmp_path / "scores.npy", k=2, strategy="loss_topk")
    assert chosen.indices.tolist() == [11, 10]


def test_row_numbers_are_ids_where_rows_have_none_of_their_own() -> None:
    chosen = sage_select.select(TABLE, k=4, strategy="random", pin=[7, np.int64(5)], exclude=np.array([3]))
    assert chosen.indices[:2].tolist() == [7, 5]
    ids = sage_select.select(TABLE, k=40, strategy="random").table()
    own = ids["sage_row_id"][0].as_py()
    assert sage_select.select(TABLE, k=1, strategy="random", pin=[own]).indices.tolist() == [
        TABLE["text"].to_pylist().index(ids["text"][0].as_py())
    ]
    for wrong in ([40], [-1], [True], ["7"]):
        with pytest.raises(UsageError, match="row"):
            sage_select.select(TABLE, k=4, strategy="random", pin=wrong)
    named = TABLE.append_column("id", pa.array([39 - i for i in range(40)]))
    chosen = sage_select.select(named, k=1, strategy="random", pin=[0], id_column="id")
    assert chosen.indices.tolist() == [39], "where rows have ids, a number is an id"
    with pytest.raises(UsageError, match="no row has the id '40'"):
        sage_select.select(named, k=1, strategy="random", pin=[40], id_column="id")


def test_notices_are_kept_and_warned_of_once() -> None:
    with pytest.warns(SageWarning) as told:
        chosen = sage_select.select(TABLE, budget="40 tokens", strategy="loss_topk", scores="loss")
    assert [str(one.message) for one in told] == chosen.notices
    assert len(chosen.notices) == 1
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sage_select.select(TABLE, k=3, strategy="loss_topk", scores="loss")


def test_vectors_that_nothing_uses_are_refused() -> None:
    with pytest.raises(UsageError, match="no stage uses embeddings"):
        sage_select.select(TABLE, k=3, strategy="random", embeddings=np.ones((40, 2)))


def test_rows_leave_in_one_order() -> None:
    chosen = sage_select.select(TABLE, k=6, strategy="diversity")
    rows = chosen.table()
    assert TABLE.take(pa.array(chosen.table_indices))["text"].equals(rows["text"])
    assert sorted(chosen.table_indices) == sorted(chosen.indices)
    assert list(chosen) == rows.to_pylist()
    assert chosen.to_polars().equals(pl.DataFrame(rows))
    assert pl.DataFrame(chosen).equals(pl.DataFrame(rows))


def test_pandas_takes_a_selection() -> None:
    pd = pytest.importorskip("pandas")
    chosen = sage_select.select(TABLE, k=6, strategy="random")
    for frame in (pd.DataFrame(chosen), chosen.to_pandas()):
        assert list(frame.columns) == chosen.table().column_names
        assert frame["text"].tolist() == chosen.table()["text"].to_pylist()


def test_a_notebook_shows_text_and_no_markup_of_rows() -> None:
    shown = sage_select.select(TABLE, k=12, strategy="loss_topk", scores="loss")._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert "\x1b" not in shown
    assert shown.count("<tr>") == 11
    assert "2 more" in shown
    assert "Selection(2 of 3 rows)" in sage_select.select(scores=[1, 2, 3], k=2, strategy="loss_topk")._repr_html_()


def test_a_selection_is_written_as_a_build_writes_it(tmp_path: Path) -> None:
    chosen = sage_select.select(TABLE, k=6, strategy="diversity", embeddings=np.tile(VECTORS, (4, 1))[:40])
    path = chosen.write(tmp_path / "out.arrow")
    rows, manifest = io.open_output(path)
    assert manifest is not None
    assert rows.table.select(chosen.table().column_names).to_pylist() == chosen.table().to_pylist()
    assert manifest["rows"]["kept"] == 6
    assert manifest["metrics"]["verdict"]["text"]
    assert set(manifest["inputs"]) == {"source", "embed.file"}
    assert pq.read_metadata(tmp_path / "out.arrow.rows.parquet").num_rows == 40
    written = path.stat().st_mtime_ns
    assert chosen.write(path) == path
    assert path.stat().st_mtime_ns == written, "the same selection is there already"
    other = sage_select.select(TABLE, k=6, strategy="diversity", embeddings=np.tile(VECTORS[::-1], (4, 1))[:40])
    with pytest.raises(OutputError, match="exists already"):
        other.write(path)
    other.write(path, force=True)
    assert path.stat().st_mtime_ns != written
    (tmp_path / "mine.arrow").write_text("mine")
    with pytest.raises(OutputError):
        other.write(tmp_path / "mine.arrow", force=True)
    with pytest.raises(UsageError, match="no rows to write"):
        sage_select.select(scores=[1, 2], k=1, strategy="loss_topk").write(tmp_path / "x.arrow")


def test_what_was_handed_over_is_in_the_identity(tmp_path: Path) -> None:
    def fingerprint(name: str, **arguments: Any) -> str:
        path = sage_select.select(TABLE, k=6, strategy="random", **arguments).write(tmp_path / name)
        return str(json.loads(Path(f"{path}.manifest.json").read_text())["fingerprint"])

    same = (
        fingerprint("a.arrow", pin=[1, 2], lengths=np.ones(40, int)),
        fingerprint("b.arrow", pin=[1, 2], lengths=np.ones(40, int)),
    )
    assert same[0] == same[1]
    others = [
        fingerprint(f"{i}.arrow", **arguments)
        for i, arguments in enumerate(
            [
                {"pin": [1, 3]},
                {"exclude": [1, 2]},
                {"groups": ["a", "b"] * 20},
                {"groups": ["a", "c"] * 20},
                {"seed": 1},
            ]
        )
    ]
    assert len({same[0], *others}) == 6


def test_the_top_of_a_selection_is_the_smaller_selection(tmp_path: Path) -> None:
    small = sage_select.select(TABLE, k=3, strategy="random")
    path = sage_select.select(TABLE, k=6, strategy="random").top(3).write(tmp_path / "a.arrow")
    written = path.stat().st_mtime_ns
    small.write(path)
    assert path.stat().st_mtime_ns == written

    class Silent:
        def notice(self, text: str) -> None: ...
        def progress(self, label: str) -> Any:
            return contextlib.nullcontext(lambda done, total: None)

    outcome = top(path, Budget.parse(2), tmp_path / "b.arrow", Silent())
    assert outcome.manifest["rows"]["kept"] == 2


def test_the_input_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f'{{"text": "row {i}"}}\n' for i in range(20)))
    chosen = sage_select.select(path, k=3, strategy="random")
    with pytest.raises(UsageError, match="input"):
        chosen.write(path, force=True, overwrite_foreign=True)
