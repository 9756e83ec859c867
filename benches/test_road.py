"""The whole road from JSON lines to a selection, and its first step, beside pyarrow on the same file.

The file is the 12,174 dialogues with tools of Schema-Guided Dialogue, 71 MB. pyarrow takes keys given twice, and
numbers beyond 64 bits as floats; our reader refuses both, and holds the tools as the JSON text that they are.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.json
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import ROOT
from benches.measure import measure
from sage_select import io

DATA = Path(os.environ.get("SAGE_DATA") or ROOT.parent / "shared" / "data") / "sgd_chat" / "train.jsonl.gz"
_BUILD = "from sage_select.cli.select import main; main()"
_PYARROW = """
import sys
import pyarrow.feather, pyarrow.json
pyarrow.feather.write_feather(pyarrow.json.read_json(sys.argv[1]), sys.argv[2])
"""


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not DATA.is_file():
        pytest.skip(f"the dialogues are not here ({DATA})")
    path = tmp_path_factory.mktemp("road") / "chats.jsonl"
    path.write_bytes(gzip.decompress(DATA.read_bytes()))
    return path


def ours(path: Path) -> pa.Table:
    return io.read(path).table


def pyarrow_read_json(path: Path) -> pa.Table:
    return pyarrow.json.read_json(path)


@pytest.mark.parametrize("method", [ours, pyarrow_read_json], ids=lambda method: method.__name__)
def test_reading(method: Callable[[Path], pa.Table], chats: Path, benchmark: BenchmarkFixture) -> None:
    table = method(chats)
    assert table.num_rows == 12_174
    group = f"{chats.stat().st_size / 1e6:.0f} MB of JSON lines to Arrow"
    measure(benchmark, lambda: method(chats), group=group, method=method.__name__, rounds=5)


def build_hybrid(path: Path, folder: Path) -> float:
    """Run the command, from its start to its end, and return the seconds of the processor."""
    for file in folder.glob("out.arrow*"):
        file.unlink()  # a result that is there already would not be made again
    return processor_seconds(_BUILD, "build", "--strategy", "hybrid", "--output", str(folder / "out.arrow"), str(path))


def pyarrow_read_and_write(path: Path, folder: Path) -> float:
    return processor_seconds(_PYARROW, str(path), str(folder / "out.feather"))


def processor_seconds(code: str, *arguments: str) -> float:
    """Return what a fresh interpreter takes for this code, in seconds of all threads together."""
    before = os.times()
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


@pytest.mark.parametrize("method", [build_hybrid, pyarrow_read_and_write], ids=lambda method: method.__name__)
def test_road(method: Callable[[Path, Path], float], chats: Path, tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    seconds: list[float] = []
    group = f"{chats.stat().st_size / 1e6:.0f} MB of JSON lines to a selection, a process from start to end"
    name = "ours: build --strategy hybrid" if method is build_hybrid else method.__name__
    measure(benchmark, lambda: seconds.append(method(chats, tmp_path)), group=group, method=name, rounds=3)
    benchmark.extra_info["note"] = f"{min(seconds):.2f} s of the processor, all threads together"
