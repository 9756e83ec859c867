"""A table of what is computed of rows, by their ids, committed as any output; scores and vectors are written so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa

from sage_select import __version__, io
from sage_select.cache import Blocks, Cache, key_of, most_bytes
from sage_select.cache.blocks import Compute, Identity, Span
from sage_select.data import Dataset
from sage_select.engine.base import Outcome
from sage_select.engine.local.inputs import input_digests
from sage_select.engine.local.manifest import identity
from sage_select.errors import UsageError
from sage_select.io.commit.names import OutputNames
from sage_select.io.output.target import check_target, preflight_output
from sage_select.paths import output_path
from sage_select.pipeline import Pipeline, Reporter, Run, Stage
from sage_select.pipeline.run import Recorder
from sage_select.stages import Source

__all__ = ["ROW_ID", "RowTable", "Sharing", "Writing"]

#: The column by which a table names its rows.
ROW_ID: Final = "sage_row_id"


class Sharing(Protocol):
    """Processes that share the work."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def rank(self) -> int:
        """Which of them this is, from 0."""

    def gathered(self, values: list[bool]) -> list[bool]:
        """Return the values of all; all must ask."""


@dataclass(frozen=True)
class Writing:
    """How a table is written.

    Parameters
    ----------
    target
        The output; the end of the name is the format.
    reporter
        Who is told of progress and notices.
    force, overwrite_foreign, verify, threads
        As of `run`.
    cache
        The folder in which what models compute is held, block by block: what was killed goes on where it was. None to
        compute all.
    processes
        Those that share the blocks out: of n the i-th computes each n-th block from the i-th on. The first writes.
    """

    target: str
    reporter: Reporter
    force: bool = False
    overwrite_foreign: bool = False
    verify: bool = True
    threads: int | None = None
    cache: Path | None = None
    processes: Sharing | None = None


@dataclass(frozen=True)
class RowTable:
    """What is written.

    Parameters
    ----------
    kind, version
        What it is, and what counts changes of what it holds.
    step
        The stage that says what is computed, by which the table is known.
    own
        The stage as this process runs it: on a device of its own.
    options
        What else the table is known by.
    columns
        Returns the columns beside the ids, and what the manifest says of them; called in every process.
    """

    kind: str
    version: int
    step: Stage
    own: Stage
    options: Sequence[Any]
    columns: Callable[[Dataset, Run], tuple[Mapping[str, Any], Mapping[str, Any]]]

    def write(self, source: Source, how: Writing) -> Outcome | None:
        """Read the rows, compute and commit; what was made before from the same is left as it is.

        Returns
        -------
        Outcome
            As `run` does; None in a process that is not the first.

        Raises
        ------
        SageError
            Whatever is wrong with the rows, the model, the output or the environment; nothing is left behind.
        """
        processes = how.processes
        first = processes is None or processes.rank == 0
        if processes is not None and how.cache is None:
            raise UsageError(
                f"several processes hand each other their {self.kind} through the cache", hint="leave out --no-cache"
            )
        plan = Pipeline(steps=(source, self.step))
        options: dict[str, Any] = {"force": how.force, "overwrite_foreign": how.overwrite_foreign}
        form = preflight_output(output_path(how.target), plan.inputs(), **options) if first else None
        run = Run((source, self.own), 0, Recorder(how.reporter), threads=how.threads, verify=how.verify)
        if how.cache is not None:
            run.cache = Cache(how.cache, most_bytes(), how.reporter.notice)
        if processes is not None:
            run.share = _shared(processes)
        rows = source.read(run)
        if not isinstance(rows, io.Rows):
            raise RuntimeError("a source that is read has rows")
        files = io.Beside()
        inputs = input_digests(plan, rows, files, {})
        known = key_of([identity(plan, inputs), self.kind, self.version, list(self.options)])
        path = output_path(how.target)
        found = first and not (how.force and how.cache is None) and io.existing(path, known)
        if first and form is not None and not found:
            check_target(OutputNames(path), form, **options)
        if any([found] if processes is None else processes.gathered([found])):
            made = OutputNames(path).manifest
            return Outcome(path, made, io.read_manifest(path) or {}, cached=True) if first else None
        data = replace(source.dataset(rows, run), files=files)
        columns, facts = self.columns(data, run)
        if not first:
            return None
        manifest = {
            "fingerprint": known,
            **facts,
            "sage_select": __version__,
            "spec": plan.to_dict(),
            "source": {"name": rows.source, "demo": source.demo, "digest": rows.digest},
            "inputs": inputs,
            "shape": None if data.shape is None else data.shape.to_dict(),
            "rows": {
                "in": data.input_n,
                "kept": data.n,
                "dropped": {str(cause): count for cause, count in data.lineage.counts().items()},
            },
            "evidence": run.told,
            "notices": list(run.reporter.notices),
        }
        written = io.write(pa.table({ROW_ID: data.ids, **columns}), path, manifest, **options)
        return Outcome(
            written.path,
            written.manifest_path,
            io.read_manifest(path) or {},
            cached=False,
            reused=run.reused,
            rates=run.rates,
        )


def _shared(processes: Sharing) -> Callable[[Blocks], Blocks]:
    """Return what shares blocks out among processes: each computes its own, then all read those of all."""

    def shared(blocks: Blocks) -> Blocks:
        def give(identity: Identity, of: Sequence[Span], compute: Compute) -> Iterator[pa.Table]:
            for _ in blocks(identity, of[processes.rank :: processes.count], compute):
                pass
            processes.gathered([True])  # until all have done theirs
            yield from blocks(identity, of, compute)

        return give

    return shared
