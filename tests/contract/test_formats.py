"""Every output format gives the same rows to us and to the readers people use, on real data too."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_select.io import decode_rows, from_object, open_output, read, write
from sage_select.io.tables.strict_json import decode

NAMES = ["out.arrow", "out.arrows", "out.parquet", "out.jsonl", "out.jsonl.gz", "out"]
REAL = [
    "sgd_chat/dev.jsonl.gz",
    "metatool/queries.csv",
    "gsm8k/train.jsonl.gz",
    "t0_p3/cap50.jsonl.gz",
    "clinc150/test.parquet",
    "toolformer/similarity_0.6.jsonl.gz",
    "chat_formats/glaive_sharegpt.json",
    "chat_formats/v1_messages.jsonl",
]
ROWS: list[dict[str, Any]] = [
    {
        "id": f"row {number}",
        "messages": [
            {"role": "user", "content": "what \u2028 is it?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {f"key {number}": None}}}],
            },
        ][: 1 + number % 2],
        "tools": [{"name": "f", "parameters": {"type": "object", f"p{number}": {}}}],
        "vector": [0.5, number / 3],
        "score": None if number % 7 == 0 else number / 3,
        "count": number,
        "flag": number % 2 == 0,
    }
    for number in range(100)
]


def hf_folder(path: Path) -> pa.Table:
    return pa.concat_tables(list(datasets.load_from_disk(str(path)).with_format("arrow").iter(50)))


def hf_stream(path: Path) -> pa.Table:
    return datasets.Dataset.from_file(str(path)).with_format("arrow")[:]


def ipc_file(path: Path) -> pa.Table:
    return pa.ipc.open_file(path).read_all()


def ipc_stream(path: Path) -> pa.Table:
    return pa.ipc.open_stream(path.read_bytes()).read_all()


def arrow(read_frame: Callable[[Path], pl.DataFrame]) -> Callable[[Path], pa.Table]:
    return lambda path: read_frame(path).to_arrow()


OTHERS: dict[str, list[Callable[[Path], pa.Table]]] = {
    "out.arrow": [ipc_file, arrow(pl.read_ipc), arrow(lambda path: pl.scan_ipc(path).collect())],
    "out.arrows": [ipc_stream, hf_stream, arrow(pl.read_ipc_stream)],
    "out.parquet": [pq.read_table, arrow(pl.read_parquet)],
    "out": [hf_folder, lambda path: hf_stream(path / "data-00000-of-00001.arrow")],
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read(name: str, tmp_path: Path) -> None:
    held = from_object(ROWS)
    write(held.table, tmp_path / name, {})
    rows, _ = open_output(tmp_path / name)
    assert list(decode_rows(rows.table)) == ROWS
    assert rows.table.schema.equals(held.table.schema, check_metadata=True)
    assert rows.table.equals(held.table)


@pytest.mark.parametrize("name", list(OTHERS))
def test_other_readers_see_the_same_values(name: str, tmp_path: Path) -> None:
    table = from_object(ROWS).table
    write(table, tmp_path / name, {})
    for reader in OTHERS[name]:
        assert reader(tmp_path / name).to_pylist() == table.to_pylist()


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_json_lines_are_the_rows(name: str, tmp_path: Path) -> None:
    write(from_object(ROWS).table, tmp_path / name, {})
    data = (tmp_path / name).read_bytes()
    data = gzip.decompress(data) if name.endswith("gz") else data
    assert [json.loads(line) for line in data.split(b"\n")[:-1]] == ROWS
    assert (
        datasets.load_dataset("json", data_files=str(tmp_path / name), cache_dir=str(tmp_path / "c"))["train"].num_rows
        == 100
    )


def test_what_other_writers_write_is_read(tmp_path: Path) -> None:
    flat = pl.DataFrame([{key: row[key] for key in ("id", "score", "count", "flag")} for row in ROWS])
    flat.write_ipc(tmp_path / "1")
    flat.write_ipc_stream(tmp_path / "2")
    flat.write_parquet(tmp_path / "3")
    flat.write_ndjson(tmp_path / "4")
    flat.to_pandas().to_parquet(tmp_path / "5")
    datasets.Dataset.from_polars(flat).save_to_disk(tmp_path / "6")
    for number in range(1, 7):
        assert read(tmp_path / str(number)).table.to_pylist() == flat.to_dicts(), number


def test_hugging_face_keeps_our_fingerprint(tmp_path: Path) -> None:
    table = from_object(ROWS).table
    for folder in "ab":
        (tmp_path / folder).mkdir()
        write(table, tmp_path / folder / "out.arrows", {})
        write(table, tmp_path / folder / "out", {})
    prints = [datasets.Dataset.from_file(str(tmp_path / folder / "out.arrows"))._fingerprint for folder in "ab"]
    prints += [datasets.load_from_disk(str(tmp_path / folder / "out"))._fingerprint for folder in "ab"]
    assert prints[0] == prints[1]
    assert prints[2] == prints[3]


def arguments_as_objects(value: Any) -> Any:
    """What may change: a string of arguments that spells an object becomes that object."""
    if isinstance(value, list):
        return [arguments_as_objects(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: arguments_as_objects(item) for key, item in value.items()}
    if isinstance(made.get("arguments"), str) and made["arguments"].startswith("{"):
        made["arguments"] = json.loads(made["arguments"])
    return made


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_real_rows_come_back(name: str, shared_data: Path, tmp_path: Path) -> None:
    held = read(shared_data / name)
    table = held.table.slice(0, 300)
    rows = list(decode_rows(table))
    if ".json" in name:
        raw = (shared_data / name).read_bytes()
        text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
        source = decode(text) if name.endswith(".json") else [decode(line) for line in text.split("\n")[:300]]
        assert rows == arguments_as_objects(source)
    for output in NAMES:
        write(table, tmp_path / output, {})
        again, _ = open_output(tmp_path / output)
        assert list(decode_rows(again.table)) == rows, output
        lost = {"example_input"} if ".jsonl" in output else set()  # absent in all of these rows: no line says it
        assert set(again.table.schema.names) >= set(table.schema.names) - lost


@pytest.mark.real_data
def test_tool_calls_of_real_dialogues_get_no_nulls(shared_data: Path) -> None:
    for row in decode_rows(read(shared_data / "sgd_chat/dev.jsonl.gz").table):
        for message in row["messages"]:
            assert None not in message.values()
            for call in message.get("tool_calls", []):
                arguments = call["function"]["arguments"]
                assert isinstance(arguments, dict)
                assert None not in arguments.values()
