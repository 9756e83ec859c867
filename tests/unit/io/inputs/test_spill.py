"""Rows beyond the memory budget lie in a mapped file, and are the same rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from sage_select.errors import UsageError
from sage_select.io import read
from sage_select.io.formats import json_table
from sage_select.io.guards.mapped import mapped_table
from sage_select.io.guards.memory import limits, row_budget
from sage_select.render import detect_shape, render_rows


def chats(count: int) -> str:
    def row(number: int) -> dict[str, object]:
        late = {"late": None} if number == count - 1 else {}
        turns = [{"role": "user", "content": f"question {number}"}, {"role": "assistant", "content": "yes", **late}]
        return {"messages": turns, "n": number}

    return "".join(json.dumps(row(number)) + "\n" for number in range(count)) + "no json\n"


@pytest.mark.parametrize("chunk", [1, 500, 1 << 24])
def test_rows_are_the_same_wherever_they_lie(chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(chats(40))
    monkeypatch.setattr(json_table, "CHUNK_BYTES", chunk)
    held = read(path, with_bad_rows=True)
    spilled: list[pa.Table] = []

    def counted(table: pa.Table) -> pa.Table | None:
        spilled.append(table)
        return mapped_table(table)

    monkeypatch.setattr(json_table, "mapped_table", counted)
    monkeypatch.setenv("SAGE_MEMORY", "1kB")
    mapped = read(path, with_bad_rows=True)
    assert spilled
    assert mapped.table.equals(held.table, check_metadata=True)
    assert mapped.bad.kinds == held.bad.kinds
    shape = detect_shape(held.table.schema)
    few, said = render_rows(mapped.table, shape), render_rows(held.table, shape)
    assert few.texts.to_pylist() == said.texts.to_pylist()
    assert few.answered.tolist() == said.answered.tolist()
    assert few.refused.keys() == said.refused.keys()


_READ = """
import resource, sys
import pyarrow as pa
pa.set_cpu_count(1)
pa.set_io_thread_count(1)
from sage_select.io import read
from sage_select.io.formats import json_table
json_table.CHUNK_BYTES = 1 << 20
with open("/proc/self/status") as status:
    now = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (now + (64 << 20), resource.RLIM_INFINITY))
table = read(sys.argv[1]).table
print(table.num_rows, table.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_rows_of_more_bytes_than_memory_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    line = json.dumps({"text": "x" * 4000, "n": 1}) + "\n"
    path.write_text(line * (80 << 8))
    monkeypatch.setenv("SAGE_THREADS", "2")
    # Arrow's own pool takes large chunks ahead.
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "system")

    def run(budget: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv("SAGE_MEMORY", budget)
        return subprocess.run([sys.executable, "-c", _READ, path], capture_output=True, text=True, check=False)

    done = run("4MB")
    assert done.returncode == 0, done.stderr
    rows, size = map(int, done.stdout.split())
    assert rows == 80 << 8
    assert size > 75 << 20
    # The limit is one that the rows would not fit into.
    assert run("1GB").returncode != 0


@pytest.mark.parametrize(
    ("named", "size"), [("2GB", 2e9), ("1.5 MiB", 1.5 * 2**20), ("4096", 4096), ("64k", 64e3), ("1tib", 2.0**40)]
)
def test_the_budget_can_be_named(named: str, size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGE_MEMORY", named)
    assert row_budget() == size


def test_the_budget_is_a_share_of_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAGE_MEMORY", raising=False)
    most = min(limit.bytes for limit in limits())
    assert 0.3 * most < row_budget() < 0.9 * most
    monkeypatch.setenv("SAGE_MEMORY", "much")
    with pytest.raises(UsageError, match="SAGE_MEMORY is no size"):
        row_budget()
