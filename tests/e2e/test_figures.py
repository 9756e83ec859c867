"""Every figure of a summary and its manifest, computed again from the files by plain numpy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from programs import Program

from sage_select import kernels
from sage_select.seeds import stage_key

N, K, D = 200, 20, 6


@pytest.fixture
def files(folder: Path) -> Path:
    """Write rows of which some are copies, some have nothing to train, with scores, vectors and kinds."""
    random = np.random.default_rng(2)
    texts = [
        " ".join(random.choice(list("abcdefgh"), size)) + f" {row}" for row, size in enumerate(random.integers(1, 9, N))
    ]
    texts[50:60] = texts[:10]
    texts[70:75] = [" "] * 5
    rows = [
        {"text": text, "loss": float(loss), "kind": f"kind {row % 3}"}
        for row, (text, loss) in enumerate(zip(texts, random.normal(size=N), strict=True))
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.save(folder / "v.npy", random.normal(size=(N, D)).astype(np.float32))
    return folder


def beside(values: list[float]) -> dict[str, Any]:
    selected, *random = values
    return {
        "selected": pytest.approx(selected, rel=1e-5, abs=1e-6),
        "random": {
            "mean": pytest.approx(np.mean(random), rel=1e-5, abs=1e-6),
            "least": pytest.approx(min(random), rel=1e-5, abs=1e-6),
            "most": pytest.approx(max(random), rel=1e-5, abs=1e-6),
        },
    }


def test_figures_are_those_of_the_files(files: Path, build: Program) -> None:
    done = build(
        "rows.jsonl",
        "--strategy",
        "hybrid",
        "--embeddings",
        "v.npy",
        "--score-column",
        "loss",
        "--quota",
        "kind=1:",
        "-k",
        K,
        "--seed",
        5,
    )
    assert done.code == 0, done.err
    manifest = json.loads((files / "out.arrow.manifest.json").read_text())
    rows = [json.loads(line) for line in (files / "rows.jsonl").read_text().splitlines()]
    report = pyarrow.parquet.read_table(files / "out.arrow.rows.parquet").to_pylist()
    stay = np.array([row for row in range(N) if not 50 <= row < 60 and not 70 <= row < 75])
    picks = np.array([place for place, row in enumerate(stay) if report[row]["kept"]])
    table = pa.ipc.open_file(files / "out.arrow").read_all()
    assert {rows[row]["text"] for row in stay[picks]} == set(table["text"].to_pylist())
    counts = manifest["rows"]
    assert counts["in"] == N
    assert counts["kept"] == K == table.num_rows
    assert counts["dropped"] == {
        "source: nothing to train": 5,
        "dedup: exact copy": 10,
        "select: not selected": N - 15 - K,
    }
    reasons = table["sage_reason"].to_pylist()
    assert counts["reasons"] == {name: reasons.count(name) for name in ("score", "diversity")}

    ids = pa.chunked_array([[report[row]["sage_row_id"] for row in stay]])
    hashes = kernels.keyed_hashes(stage_key(5, "evidence"), ids)
    subsets = [np.argsort(hashes - np.uint64(at * (2**64 // 5)), kind="stable")[:K] for at in range(5)]
    sets = [picks, *subsets]
    vectors = np.load(files / "v.npy")[stay].astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = vectors @ vectors.T
    nearest = [similar[:, members].max(axis=1) for members in sets]
    metrics = manifest["metrics"]
    figures = metrics["coverage"]["figures"]
    assert metrics["random_subsets"] == 5
    assert figures["coverage"] == beside([float(np.maximum(near, 0).mean()) for near in nearest])
    assert figures["radius"] == beside([float(1 - near.min()) for near in nearest])
    for percent in (5, 25, 50, 75, 95):
        expected = [float(np.percentile(1 - near, percent, method="inverted_cdf")) for near in nearest]
        assert figures[f"distance_p{percent}"] == beside(expected)
    among = [similar[np.ix_(members, members)] - 9 * np.eye(K) for members in sets]
    assert figures["duplicates"] == beside([float((pairs.max(axis=1) >= 0.95).mean()) for pairs in among])
    everyone = (similar - 9 * np.eye(len(stay))).max(axis=1) >= 0.95
    assert metrics["coverage"]["duplicates_of_all"] == pytest.approx(everyone.mean(), rel=1e-5)
    losses = np.array([rows[row]["loss"] for row in stay])
    assert metrics["scores"]["mean"] == beside([float(losses[members].mean()) for members in sets])
    words = np.array([len(rows[row]["text"].split()) for row in stay])
    assert metrics["lengths"]["total"] == beside([float(words[members].sum()) for members in sets])
    assert metrics["lengths"]["sample_of_subset"] is None
    kinds = np.array([rows[row]["kind"] for row in stay])
    for kind, counted in metrics["groups"]["counts"].items():
        assert counted == {
            "all": (kinds == kind).sum(),
            **beside([float((kinds[rows_] == kind).sum()) for rows_ in sets]),
        }

    lines = dict(re.findall(r"^  (\S+(?: \S+)?) +(.*)$", done.err, re.MULTILINE))
    assert lines["input"] == f"rows.jsonl, {N} rows (text)"
    assert lines["left out"].startswith("5 rows (nothing to train), 10 exact copies; copies lie in 10 groups")
    assert lines["kept"].startswith(f"{K} rows: {reasons.count('score')} by score")

    def printed(label: str, form: str, values: list[float]) -> None:
        selected, *random = values
        told = lines[label].split("  ")[0], lines[label].split("random ")[1]
        assert told[0] == form.format(selected)
        mean, least, most = form.format(np.mean(random)), form.format(min(random)), form.format(max(random))
        assert told[1].startswith(mean if least == most else f"{mean} ({least} to {most})")

    printed("coverage", "{:.3f}", [float(np.maximum(near, 0).mean()) for near in nearest])
    printed("radius", "{:.3g}", [float(1 - near.min()) for near in nearest])
    printed("words", "{:,.0f}", [float(words[members].sum()) for members in sets])


def test_near_copies_that_are_many_are_told_with_the_way_out(folder: Path, build: Program) -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(60, 8))
    vectors[40:] = vectors[:20] + 0.01
    np.save(folder / "v.npy", vectors)
    (folder / "rows.csv").write_text("text\n" + "".join(f"row {i}\n" for i in range(60)))
    done = build("rows.csv", "--embeddings", "v.npy", "-k", 6)
    assert "near copies" in done.err
    assert "about 67% of all rows have another next to them" in done.err
    near = build("rows.csv", "--embeddings", "v.npy", "-k", 6, "--dedup", "near", "-o", "near.arrow")
    assert "--dedup near leaves one of each" not in near.err
    assert near.code == 0


def test_a_selection_of_everything_is_beside_nothing(folder: Path, build: Program) -> None:
    (folder / "rows.csv").write_text("text\n" + "".join(f"row {i} of all\n" for i in range(20)))
    done = build("rows.csv", "-k", "100%")
    assert "beside nothing else to select" in done.err
    assert "random" not in done.err
    assert re.search(r"words +80 +in all", done.err)
