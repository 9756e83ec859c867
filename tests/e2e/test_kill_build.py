"""Builds killed with SIGKILL at random moments: then a rerun gives the same bytes, and the cache answers.

One process has loaded all that a build needs and forks a child for each; nothing of a child cleans up. 20 kills as a
rule; `make torture` takes 300 (SAGE_KILLS), at other moments with SAGE_TORTURE_SEED.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

from sage_select.cache import Cache, holdings, most_bytes
from sage_select.io import open_output

KILLS = int(os.environ.get("SAGE_KILLS", "20"))
SEED = int(os.environ.get("SAGE_TORTURE_SEED", "0"))

DRIVER = """
    import os, random, signal, sys, time
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

    from sage_select.cache import Computed, key_of, spans
    from sage_select.cli.select import main
    from sage_select.cli import build, evidence, pipeline, standard_output, summary  # loaded once, for all children
    from sage_select.scorers import Scorer, scorer

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


    @scorer("slow", version=1, held=True)
    class Slow(Scorer):
        \"\"\"The length of each row, as something slow would find it.\"\"\"

        def score(self, data, run):
            def of(start, stop):
                return data.texts.slice(start, stop - start).to_pylist()

            def compute(start, stop):
                time.sleep(0.002)
                return Computed(pa.table({"score": [float(len(text)) for text in of(start, stop)]}))

            blocks = run.blocks(self, lambda start, stop: key_of(of(start, stop)))
            parts = blocks(lambda: {}, spans(data.n, 25), compute)
            return np.concatenate([part["score"].to_numpy() for part in parts])


    def child(arguments):
        pid = os.fork()
        if pid == 0:
            out = os.open(os.devnull, os.O_WRONLY)
            os.dup2(out, 1), os.dup2(out, 2)
            sys.argv = ["sage-select", "build", *arguments]
            try:
                main()
            except SystemExit as leaving:
                os._exit(int(leaving.code or 0))
            os._exit(0)
        return pid


    kills, seed = int(sys.argv[1]), int(sys.argv[2])
    plain = ["rows.jsonl", "--scorer", "slow", "--strategy", "loss_topk", "-k", "40"]
    began = time.monotonic()
    assert os.waitpid(child([*plain, "-o", "reference/out.arrow", "--cache-dir", "reference/cache"]), 0)[1] == 0
    whole = time.monotonic() - began
    draw = random.Random(seed)
    for number in range(kills):
        folder = Path(f"kill{number:03}")
        folder.mkdir()
        options = ["-o", f"{folder}/out.arrow", "--cache-dir", f"{folder}/cache"]
        if number % 2:  # in the place of another output
            assert os.waitpid(child(["rows.jsonl", "--strategy", "random", "-k", "7", *options]), 0)[1] == 0
        pid = child([*plain, *options, "--force"])
        time.sleep(draw.random() * whole)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        print(folder, int(os.WIFSIGNALED(status)), flush=True)
        left = sorted(one.name for one in folder.iterdir())
        (folder / "left.txt").write_text("\\n".join(left))
        held = sorted(folder.glob("cache/values-1/*/*.arrow"))
        again = os.waitpid(child([*plain, *options, "--force"]), 0)[1]
        assert again == 0, (folder, again)
        print(len(held), flush=True)
"""


def test_a_killed_build_leaves_the_old_or_the_new_and_its_rerun_the_same_bytes(folder: Path) -> None:
    (folder / "reference").mkdir()
    rows = [{"text": f"row {number} " + "x" * (number * 7 % 91)} for number in range(400)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code = textwrap.dedent(DRIVER)
    done = subprocess.run(
        [sys.executable, "-c", code, str(KILLS), str(SEED)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.split()
    assert len(said) == 3 * KILLS
    killed = [int(one) for one in said[1::3]]
    assert sum(killed) > KILLS // 2, "most builds were killed on their way"
    reference = {path.name: path.read_bytes() for path in sorted((folder / "reference").glob("out.arrow*"))}
    assert len(reference) == 3
    for number in range(KILLS):
        own = folder / f"kill{number:03}"
        names = {path.name for path in own.iterdir()} - {"cache", "left.txt"}
        assert names == reference.keys(), f"{own.name} had {(own / 'left.txt').read_text()}"
        for name, data in reference.items():
            if not name.endswith(".manifest.json"):  # which names the output and the cache by their folders
                assert (own / name).read_bytes() == data, (own.name, name)
        assert open_output(own / "out.arrow")[0].table.num_rows == 40
        notices: list[str] = []
        cache = Cache(own / "cache", most_bytes(), notices.append)
        for held in holdings(own / "cache"):
            producer = cache.producer(held.identity)
            keys = [path.name.partition(".")[0] for path in (own / "cache" / "values-1" / held.name).glob("*.arrow")]
            assert keys
            assert all(producer.get(key) is not None for key in keys)
        assert not notices
