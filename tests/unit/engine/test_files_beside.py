"""Files beside the rows are what their digests in the manifest say, whatever takes their names meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import sage_select
from sage_select.engine.local.run import run
from sage_select.errors import DataError
from sage_select.io import Beside
from sage_select.io.tables.digest import digest_files
from sage_select.pipeline import Pipeline, Stage
from sage_select.pipeline.plan import resolve
from sage_select.pipeline.run import Silence
from sage_select.stages import Embed, Score, Select, Sink, Source

N = 40


def lines(path: Path, words: str) -> None:
    path.write_text("".join(json.dumps({"id": f"r{i}", "text": f"{words} {i}"}) + "\n" for i in range(N)))


def numbers(path: Path, seed: int, *shape: int) -> None:
    np.save(path, np.random.default_rng(seed).random(shape).astype(np.float32))


#: name of the file -> (how it is written for a seed, the steps that read it)
FILES: dict[str, tuple[Callable[[Path, int], None], Callable[[str], tuple[Stage, ...]]]] = {
    "scores.npy": (
        lambda path, seed: numbers(path, seed, N),
        lambda name: (Score(file=name), Select(budget=4, strategy="loss_topk")),
    ),
    "embeddings.npy": (
        lambda path, seed: numbers(path, seed, N, 3),
        lambda name: (Embed(file=name), Select(budget=4, strategy="diversity")),
    ),
    "queries.npy": (
        lambda path, seed: numbers(path, seed, 2, 3),
        lambda name: (
            Embed(file=str(Path(name).with_name("rows.npy"))),
            Select(budget=4, strategy="target", queries=name),
        ),
    ),
    "queries.jsonl": (
        lambda path, seed: lines(path, f"text {seed}"),
        lambda name: (Select(budget=4, strategy="target", queries=name),),
    ),
    "pin.txt": (lambda path, seed: _ids(path, seed), lambda name: (Select(budget=4, pin=name),)),
    "exclude.txt": (lambda path, seed: _ids(path, seed), lambda name: (Select(budget=4, exclude=name),)),
}


def _ids(path: Path, seed: int) -> None:
    path.write_text(f"r{seed}\n")


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_takes_the_name_after_the_digest_is_not_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, steps = FILES[name]
    file, other = tmp_path / name, tmp_path / f"other-{name}"
    lines(tmp_path / "rows.jsonl", "row")
    numbers(tmp_path / "rows.npy", 7, N, 3)
    write(file, 1)
    write(other, 2)
    source = Source(path=str(tmp_path / "rows.jsonl"), id_column="id")
    plan = resolve(Pipeline(steps=(source, *steps(str(file)), Sink(path=str(tmp_path / "out.arrow")))))
    digest, undisturbed = Beside.digest, digest_files([file])

    def replacing(self: Beside, read: str) -> str:
        found = digest(self, read)
        if read == str(file) and other.exists():
            other.replace(file)
        return found

    monkeypatch.setattr(Beside, "digest", replacing)
    with pytest.raises(DataError, match="changed while it was read") as caught:
        run(plan, Silence())
    assert name in str(caught.value)
    assert not (tmp_path / "out.arrow").exists()
    # The next run reads what is there now, and says so.
    outcome = run(plan, Silence())
    assert not outcome.cached
    inputs = outcome.manifest["inputs"]
    assert digest_files([file]) in inputs.values()
    assert undisturbed not in inputs.values()


def test_a_selection_is_not_written_with_the_digest_of_another_file(tmp_path: Path) -> None:
    lines(tmp_path / "rows.jsonl", "row")
    for name in ("pin.txt", "queries.jsonl"):
        write, _ = FILES[name]
        file, other = tmp_path / name, tmp_path / f"other-{name}"
        write(file, 1)
        write(other, 2)
        setting = {"queries": str(file), "strategy": "target"} if name.startswith("q") else {"pin": str(file)}
        found = sage_select.select(str(tmp_path / "rows.jsonl"), id_column="id", k=4, **setting)
        read = digest_files([file])
        other.replace(file)
        if name == "pin.txt":
            with pytest.raises(DataError, match="changed while it was read"):
                found.write(tmp_path / f"{name}.arrow")
        else:
            found.write(tmp_path / f"{name}.arrow")
            manifest = json.loads((tmp_path / f"{name}.arrow.manifest.json").read_text())
            assert manifest["inputs"]["select.queries"] == read
