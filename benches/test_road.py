"""The whole road from JSON lines to a selection, its first step beside pyarrow on the same file, and its memory.

The file is the 12,174 dialogues with tools of Schema-Guided Dialogue, 71 MB. pyarrow takes keys given twice, and
numbers beyond 64 bits as floats; our reader refuses both, and holds the tools as the JSON text that they are.
"""

from __future__ import annotations

import gzip
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.json
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import ROOT
from benches.measure import measure
from sage_select import io, kernels

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


def ours(text: bytes) -> pa.Table:
    table = kernels.JsonTable()
    table.take(text)
    return table.finish()


def pyarrow_read_json(text: bytes) -> pa.Table:
    return pyarrow.json.read_json(pa.BufferReader(text))


@pytest.mark.parametrize("method", [ours, pyarrow_read_json], ids=lambda method: method.__name__)
def test_reading(method: Callable[[bytes], pa.Table], chats: Path, benchmark: BenchmarkFixture) -> None:
    text = chats.read_bytes()
    assert method(text).num_rows == 12_174
    group = f"{len(text) / 1e6:.0f} MB of JSON lines in memory to Arrow"
    measure(benchmark, lambda: method(text), group=group, method=method.__name__, rounds=7)


def ours_with_digest(path: Path) -> pa.Table:
    """Read as `build` does: with a digest of the bytes, places for messages, and what is spilled."""
    return io.read(path).table


def pyarrow_read_file(path: Path) -> pa.Table:
    return pyarrow.json.read_json(path)


@pytest.mark.parametrize("method", [ours_with_digest, pyarrow_read_file], ids=lambda method: method.__name__)
def test_reading_a_file(method: Callable[[Path], pa.Table], chats: Path, benchmark: BenchmarkFixture) -> None:
    assert method(chats).num_rows == 12_174
    group = f"a file of {chats.stat().st_size / 1e6:.0f} MB of JSON lines to Arrow"
    measure(benchmark, lambda: method(chats), group=group, method=method.__name__, rounds=7)


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


#: Times that both take the road, in turn: what else the machine does then bears on both.
_TURNS = 5


@pytest.fixture(scope="module")
def processor(chats: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Callable[[Path, Path], float], str]:
    """Return what to note of each: its seconds of the processor, and how many times those of pyarrow ours are."""
    folder = tmp_path_factory.mktemp("turns")
    turns = [(build_hybrid(chats, folder), pyarrow_read_and_write(chats, folder)) for _ in range(_TURNS)]
    ours, pyarrow = (f"{statistics.median(seconds):.2f} s of the processor" for seconds in zip(*turns, strict=True))
    ratio = statistics.median(own / other for own, other in turns)
    many = f"medians of {_TURNS} runs in turn, all threads together"
    return {build_hybrid: f"{ours}, {ratio:.2f} x pyarrow's ({many})", pyarrow_read_and_write: f"{pyarrow} ({many})"}


@pytest.mark.parametrize("method", [build_hybrid, pyarrow_read_and_write], ids=lambda method: method.__name__)
def test_road(
    method: Callable[[Path, Path], float],
    processor: dict[Callable[[Path, Path], float], str],
    chats: Path,
    tmp_path: Path,
    benchmark: BenchmarkFixture,
) -> None:
    group = f"{chats.stat().st_size / 1e6:.0f} MB of JSON lines to a selection, a process from start to end"
    name = "ours: build --strategy hybrid" if method is build_hybrid else method.__name__
    measure(benchmark, lambda: method(chats, tmp_path), group=group, method=name, rounds=3, note=processor[method])


#: Copies of the dialogues, 3 GB in all, and the memory that they may take: of diversity beside the rows themselves 0.8
#: GB of vectors, as much again in int16 and in tiles, and the neighbours of each row.
_COPIES = 42
_MOST = {"loss_topk": 1.5e9, "diversity": 3.2e9}


@pytest.fixture
def many_chats(chats: Path, tmp_path: Path) -> Path:
    path = tmp_path / "many.jsonl"
    text = chats.read_bytes()
    with path.open("wb") as file:
        for copy in range(_COPIES):
            # Each dialogue under an id of its own and with words of its own: copies would leave.
            named = re.sub(rb'"id": "train/', b'"id": "train/%d-' % copy, text)
            file.write(named.replace(_FIRST, b"%s%d. " % (_FIRST, copy)))
    return path


#: Bytes of what a process that failed said last.
_END = 2_000
_FIRST = b'"messages": [{"role": "user", "content": "'


def peak_memory(code: str, *arguments: str) -> tuple[float, float]:
    """Run a fresh interpreter; return the most bytes it held of its own, and with the files that it had mapped."""
    environment = {**os.environ, "SAGE_MEMORY": "256MB"}
    own = resident = 0.0
    # A pipe that nobody reads would stop the process once it is full.
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, stderr=said)
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except ProcessLookupError:
                break
            found = {name: float(size) * 1024 for name, size in re.findall(r"(RssAnon|VmRSS):\s+(\d+) kB", status)}
            own, resident = max(own, found.get("RssAnon", 0)), max(resident, found.get("VmRSS", 0))
            time.sleep(0.05)
        said.seek(0)
        assert process.wait() == 0, said.read()[-_END:].decode("utf-8", "replace")
    return own, resident


@pytest.mark.large
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("strategy", _MOST)
def test_memory(strategy: str, many_chats: Path, tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    peaks: list[tuple[float, float]] = []
    output = str(tmp_path / "out.arrow")
    arguments = ["build", "--strategy", strategy, "--force", "--no-rows", "--output", output, str(many_chats)]
    group = (
        f"{many_chats.stat().st_size / 1e9:.1f} GB of JSON lines to a selection, rows beyond 256 MB in a mapped file"
    )
    measure(benchmark, lambda: peaks.append(peak_memory(_BUILD, *arguments)), group=group, method=strategy, rounds=1)
    own, resident = max(peaks)
    benchmark.extra_info["note"] = f"at most {own / 1e9:.2f} GB of memory, {resident / 1e9:.2f} GB with mapped files"
    assert own < _MOST[strategy]
