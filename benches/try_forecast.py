"""Compares forecasts with the builds themselves: `python -m benches.try_forecast`.

Memory is the highest resident size above that of a build of ten rows; times are those of
the processor on one thread, the shorter of two builds, as other work beside would stretch those of the clock. The files
are those of `cost_inputs`: what is new to the constants is how the stages work together.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benches.cost_inputs import FLAT, make_inputs
from benches.fresh import taken_by_build
from benches.measure_costs import vectors

CASES = (
    "chats.jsonl --strategy random",
    "chats.jsonl.gz --strategy loss_topk",
    "chats.jsonl --strategy hybrid",
    "flat.csv --strategy loss_topk",
    "flat.arrow --strategy random --budget 50%",
    "flat.parquet --strategy diversity --objective kcenter --budget 2%",
    "flat.parquet --strategy diversity --embeddings vectors.npy",
    "flat.arrow --strategy diversity --embeddings vectors.npy --metric dot --objective mmr",
    "flat.arrow --strategy diversity --embeddings vectors.npy --objective dpp --budget 2000",
    "flat.arrow --strategy hybrid --embeddings vectors.npy --budget 5%",
    "short.parquet --strategy random",
    "chats.jsonl --strategy random --dedup exact",
    "flat.parquet --strategy random --dedup near",
    "flat.arrow --strategy diversity --objective kcenter --budget 2% --embeddings vectors.npy --dedup near",
)


def forecast_of(arguments: list[str], folder: Path) -> dict[str, Any]:
    """Return what a dry run says."""
    code = "from sage_select.cli.select import main; main()"
    command = [sys.executable, "-c", code, "build", *arguments, "--dry-run", "--json", "--force"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)["forecast"]
    return found


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_inputs(folder)
        np.save(folder / "vectors.npy", vectors(FLAT))
        empty = taken_by_build(["ten.jsonl", "--strategy", "random"], folder).bytes
        sys.stdout.write("   memory      said  ratio |     time     said  ratio | build\n")
        for case in CASES:
            arguments = [*case.split(), "--threads", "1"]
            said = forecast_of(arguments, folder)
            real = taken_by_build(arguments, folder, runs=2)
            base = 0.0 if real.bytes <= empty else empty
            memory = real.bytes - base, said["memory"]["peak"] + said["memory"]["mapped"] - base
            time = real.seconds, said["seconds"]
            sizes = f"{memory[0] / 2**20:5.0f} MiB {memory[1] / 2**20:5.0f} MiB {memory[1] / memory[0]:6.2f}"
            sys.stdout.write(f"{sizes} | {time[0]:6.2f} s {time[1]:6.2f} s {time[1] / time[0]:6.2f} | {case}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
