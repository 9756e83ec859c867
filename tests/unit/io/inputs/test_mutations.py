"""Damaged files: whatever a bit flip or a cut does, only our errors come out, or rows that are sound.

The readers run in this very process, so a crash of a decoder would end the test run.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_select.errors import DataError, ResourceError, SageError
from sage_select.io import decode_rows, digest_table, estimate, open_output, read, read_npy, write

ROWS = [
    {
        "id": f"row {number}",
        "messages": [{"role": "user", "content": "é\u2028" * number}, {"role": "assistant", "content": None}],
        "tools": [{"name": "f", "parameters": {"p": number}}],
        "score": number / 7,
        "flag": number % 2 == 0,
        "vector": [0.5, float(number)],
    }
    for number in range(40)
]
MUTANTS = 150


def jsonl() -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def table() -> pa.Table:
    from sage_select.io import from_object

    made = from_object(ROWS).table
    words = pa.array(["a", "b", None, "a"] * 10).dictionary_encode()
    when = pa.array(range(40), pa.timestamp("us"))
    fixed = pa.array([[1.0, 2.0]] * 40, pa.list_(pa.float32(), 2))
    return made.append_column("word", words).append_column("when", when).append_column("fixed", fixed)


def ipc(stream: bool, compression: str | None) -> bytes:
    sink = pa.BufferOutputStream()
    rows = table()
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(rows, max_chunksize=16)
    return sink.getvalue().to_pybytes()


def parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table(), sink, row_group_size=16, compression="zstd")
    return sink.getvalue().to_pybytes()


def zstd() -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(jsonl())
    return sink.getvalue().to_pybytes()


def csv() -> bytes:
    return "".join(
        f'"{row["id"]}","two\nlines é",{row["score"]}\n' for row in [{"id": "a", "score": "b"}, *ROWS]
    ).encode()


FILES = {
    "jsonl": jsonl,
    "jsonl.gz": lambda: gzip.compress(jsonl(), mtime=0),
    "jsonl.zst": zstd,
    "json": lambda: json.dumps(ROWS, indent=1).encode(),
    "csv": csv,
    "arrow": lambda: ipc(False, None),
    "arrow zstd": lambda: ipc(False, "zstd"),
    "arrows": lambda: ipc(True, None),
    "arrows lz4": lambda: ipc(True, "lz4"),
    "parquet": parquet,
}


def mutants(data: bytes, seed: str, count: int = MUTANTS) -> list[bytes]:
    """Return damaged copies: bit flips, hostile bytes, cuts, and parts that are missing or doubled."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        at = chance.randrange(len(data))
        copy = bytearray(data)
        match number % 6:
            case 0 | 1:
                copy[at] ^= 1 << chance.randrange(8)
            case 2:
                copy[at] = chance.choice([0x00, 0xFF, 0x7F, 0x80])
            case 3:
                del copy[at:]
            case 4:
                del copy[at : at + chance.randrange(1, 64)]
            case 5:
                copy[at:at] = copy[at : at + chance.randrange(1, 64)]
        if copy != data:
            made.append(bytes(copy))
    return made


@pytest.mark.parametrize("kind", list(FILES))
def test_damage_is_an_error_of_ours_or_sound_rows(kind: str, tmp_path: Path) -> None:
    data = FILES[kind]()
    path = tmp_path / ("rows." + kind.split()[0])
    path.write_bytes(data)
    assert read(path).table.num_rows == 40
    refused = 0
    for mutant in mutants(data, kind):
        path.write_bytes(mutant)
        with contextlib.suppress(SageError):
            estimate(path)
        try:
            rows = read(path)
        except (DataError, ResourceError) as error:
            assert str(path) in str(error)  # noqa: PT017
            refused += 1
            continue
        rows.table.validate(full=True)
        digest_table(rows.table)
        try:
            list(decode_rows(rows.table))
        except DataError:
            refused += 1
        rows.where(rows.table.num_rows - 1)
    assert refused > MUTANTS // 10


@pytest.mark.parametrize("name", ["out.arrow", "out.arrows", "out.parquet", "out.jsonl", "out.jsonl.gz", "out"])
def test_no_damage_of_our_own_output_goes_unseen(name: str, tmp_path: Path) -> None:
    rows = pa.table({"a": [f"text {number}" for number in range(50)]})
    write(rows, tmp_path / name, {"fingerprint": "f"})
    path = tmp_path / name / "data-00000-of-00001.arrow" if name == "out" else tmp_path / name
    for mutant in mutants(path.read_bytes(), name, 60):
        path.write_bytes(mutant)
        with pytest.raises(DataError):
            open_output(tmp_path / name)


@pytest.mark.parametrize("part", ["manifest.json", "state.json", "dataset_info.json"])
def test_damage_of_what_lies_beside_the_rows(part: str, tmp_path: Path) -> None:
    write(pa.table({"a": ["x"]}), tmp_path / "out", {"fingerprint": "f"})
    path = tmp_path / ("out." + part) if part == "manifest.json" else tmp_path / "out" / part
    for mutant in mutants(path.read_bytes(), part, 100):
        path.write_bytes(mutant)
        try:
            opened, _ = open_output(tmp_path / "out")
        except SageError:
            continue
        assert opened.table.to_pylist() == [{"a": "x"}]


def test_damaged_arrays_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.ones((20, 4), np.float32))
    for mutant in mutants(path.read_bytes(), "npy", 300):
        path.write_bytes(mutant)
        try:
            made = read_npy(path, rows=None, kind="embeddings")
        except DataError:
            continue
        assert made.nbytes <= len(mutant)
        assert float(np.nan_to_num(made.astype(np.float64)).sum()) is not None
