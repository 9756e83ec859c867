"""The files that the constants of the forecast are measured on: seeded, made where they are needed."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

CHATS = 20_000
FLAT = 100_000
SHORT = 400_000
_TOOLS = [
    {"type": "function", "function": {"name": f"tool_{i}", "parameters": {"type": "object", "properties": {"q": {}}}}}
    for i in range(4)
]


def make_inputs(folder: Path) -> None:
    """Write nested chats (20,000 rows of 1.6 KB), prompts and completions (100,000 of 500 B), and few words a row."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(5000)])

    def texts(rows: int, length: int) -> list[str]:
        return [" ".join(row) for row in words[rng.integers(0, len(words), (rows, length))]]

    lines = "".join(json.dumps(_chat(*said)) + "\n" for said in zip(*(texts(CHATS, 40) for _ in range(4)), strict=True))
    (folder / "chats.jsonl").write_text(lines)
    (folder / "chats.jsonl.gz").write_bytes(gzip.compress(lines.encode(), 6))
    flat = pa.table({"prompt": texts(FLAT, 20), "completion": texts(FLAT, 40)})
    pa.parquet.write_table(flat, folder / "flat.parquet")
    with pa.ipc.new_file(folder / "flat.arrow", flat.schema) as writer:
        writer.write_table(flat, max_chunksize=8192)
    with (folder / "flat.csv").open("w", newline="") as file:
        csv.writer(file).writerows([flat.column_names, *zip(*(c.to_pylist() for c in flat.columns), strict=True)])
    short = pa.table({"text": texts(SHORT, 4)})
    pa.parquet.write_table(short, folder / "short.parquet")
    (folder / "ten.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts(10, 4)))


def _chat(question: str, answer: str, second: str, last: str) -> dict[str, Any]:
    call = {"type": "function", "function": {"name": "tool_1", "arguments": json.dumps({"q": question[:40]})}}
    return {
        "tools": _TOOLS,
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer, "tool_calls": [call]},
            {"role": "user", "content": second},
            {"role": "assistant", "content": last},
        ],
    }
