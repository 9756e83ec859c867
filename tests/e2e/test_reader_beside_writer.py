"""Readers beside a writer that replaces its output without a pause: what they read is always of one run.

The writer is a process of its own. Its outputs say in every part which run they are of, and no two that follow each
other are alike, so that rows of one with the manifest or the row report of another are told at once.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from sage_select.io import open_output, open_with_report, read

WRITER = """
    import itertools
    import sys
    from pathlib import Path

    import pyarrow as pa

    from sage_select.io import write

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    enough = Path(sys.argv[2])
    for run in itertools.count():
        rows = pa.table({"run": [run] * (200 + run % 7)})
        report = pa.table({"run": [run]}) if run % 3 else None  # an output without one comes in between
        write(rows, Path(sys.argv[1]), {"run": run}, row_report=report, force=True)
        if run == 0:
            print("begun", flush=True)
        if enough.exists() and report is not None:
            print(run)
            break
"""
#: How many runs a reader has to meet, and how often it has to read.
MET, READ = 4, 12


@pytest.mark.parametrize("name", ["out.arrow", "out.jsonl.gz", "out"])
def test_rows_manifest_and_report_are_of_one_run(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    enough = tmp_path.parent / f"{tmp_path.name}-enough"
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), str(enough)]
    seen: Counter[int] = Counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begun\n"
        while writer.poll() is None and (len(seen) < MET or seen.total() < READ):
            rows, manifest, report = open_with_report(path)
            assert manifest is not None
            run = manifest["run"]
            assert set(rows.table["run"].to_pylist()) == {run}
            assert rows.table.num_rows == manifest["output"]["rows"]
            assert (report is not None) == bool(run % 3)
            assert report is None or report.table["run"].to_pylist() == [run]
            seen[run] += 1

            for verify in (True, False):
                rows, manifest = open_output(path, verify=verify)
                assert manifest is not None
                assert set(rows.table["run"].to_pylist()) == {manifest["run"]}
            assert len(set(read(path).table["run"].to_pylist())) == 1
        enough.touch()
        said, errors = writer.communicate()
        assert writer.returncode == 0, errors
    assert open_output(path)[0].table["run"].to_pylist()[0] == int(said)
    assert len(seen) >= MET, "the reader met several runs"
    assert {entry.name for entry in tmp_path.iterdir()} == {name, f"{name}.manifest.json", f"{name}.rows.parquet"}
