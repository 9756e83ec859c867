"""A table of scores: what a language model says of each row, by the id of the row, committed as any output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa

from sage_select import __version__, io
from sage_select.cache import Blocks, Cache, key_of, most_bytes
from sage_select.cache.blocks import Compute, Identity, Span
from sage_select.data import Dataset
from sage_select.engine.base import Outcome
from sage_select.engine.local.inputs import input_digests
from sage_select.engine.local.manifest import identity
from sage_select.errors import DataError, UsageError
from sage_select.io.commit.names import OutputNames
from sage_select.io.output.target import check_target, preflight_output
from sage_select.paths import output_path
from sage_select.pipeline import Pipeline, Reporter, Run
from sage_select.pipeline.run import Recorder
from sage_select.score import MEASURES, MeasureName
from sage_select.scorers.model import Model
from sage_select.stages import Score, Source

__all__ = ["ROW_ID", "Sharing", "write_scores"]

#: The column by which a table of scores names its rows, and the one that counts the trained tokens of each.
ROW_ID: Final = "sage_row_id"
_TOKENS: Final = "tokens"
#: Counts changes of what a table of scores holds.
_VERSION: Final = 1


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


def write_scores(
    source: Source,
    scorer: Model,
    measures: Sequence[MeasureName],
    target: str,
    reporter: Reporter,
    *,
    force: bool = False,
    overwrite_foreign: bool = False,
    verify: bool = True,
    cache: Path | None = None,
    processes: Sharing | None = None,
    device: str | None = None,
) -> Outcome | None:
    """Score rows by a language model and commit a table: the ids of rows, a column a measure, and the trained tokens.

    Parameters
    ----------
    source, scorer
        The rows, and the model; which measure the scorer would give to a selection does not matter.
    measures
        The columns. All that need no further pass come from one.
    target
        The output; the end of the name is the format.
    reporter
        Who is told of progress and notices.
    force, overwrite_foreign, verify
        As of `run`.
    cache
        The folder in which figures are held, block by block: what was killed goes on where it was. None to compute all.
    processes
        Those that share the blocks out: of n the i-th computes each n-th block from the i-th on. The first writes.
    device
        Where this process runs the model, in place of what the scorer says.

    Returns
    -------
    Outcome
        As `run` does; None in a process that is not the first.

    Raises
    ------
    SageError
        Whatever is wrong with the rows, the model, the output or the environment; nothing is left behind.
    """
    first = processes is None or processes.rank == 0
    if processes is not None and cache is None:
        raise UsageError(
            "several processes hand each other their scores through the cache", hint="leave out --no-cache"
        )
    plan = Pipeline(steps=(source, Score(scorer=scorer)))
    options: dict[str, Any] = {"force": force, "overwrite_foreign": overwrite_foreign}
    form = preflight_output(output_path(target), plan.inputs(), **options) if first else None
    here = scorer if device is None else scorer.changed(score_device=device)
    steps = (source, Score(scorer=here))
    run = Run(steps, 0, Recorder(reporter), verify=verify)
    if cache is not None:
        run.cache = Cache(cache, most_bytes(), reporter.notice)
    rows = source.read(run)
    if not isinstance(rows, io.Rows):
        raise RuntimeError("a source that is read has rows")
    files = io.Beside()
    inputs = input_digests(plan, rows, files, {})
    known = key_of([identity(plan, inputs), "scores", _VERSION, list(measures)])
    path = output_path(target)
    found = first and not (force and cache is None) and io.existing(path, known)
    if first and form is not None and not found:
        check_target(OutputNames(path), form, **options)
    if any([found] if processes is None else processes.gathered([found])):
        return Outcome(path, OutputNames(path).manifest, io.read_manifest(path) or {}, cached=True) if first else None
    data = replace(source.dataset(rows, run), files=files)
    share = _alone if processes is None else _shared(processes)
    figures = here.figures(data, run, measures, share)
    if not first:
        return None
    table = _table(data, figures, measures)
    manifest = {
        "fingerprint": known,
        "scores": {
            name: {"of": MEASURES[name].summary, "higher_is_harder": MEASURES[name].higher_is_harder}
            for name in measures
        },
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
    written = io.write(table, path, manifest, **options)
    return Outcome(
        written.path,
        written.manifest_path,
        io.read_manifest(path) or {},
        cached=False,
        reused=run.reused,
        rates=run.rates,
    )


def _table(data: Dataset, figures: dict[str, Any], measures: Sequence[MeasureName]) -> pa.Table:
    """Return the table: ids, measures, the losses of further passes, trained tokens."""
    columns: dict[str, Any] = {ROW_ID: data.ids}
    for name in measures:
        values = MEASURES[name].of(figures)
        if (bad := np.flatnonzero(~np.isfinite(values))).size:
            raise DataError(
                f"the {name} of a row is beyond what float64 holds",
                where=None if data.rows is None else data.rows.where(int(bad[0])),
                got=f"a mean loss of {figures['loss'][bad[0]]:g} nats a token",
                hint="take the measure loss, which orders rows alike" if name == "perplexity" else None,
            )
        columns[name] = values
    columns |= {name: figures[name] for name in ("answer_loss", "reference_loss") if name in figures}
    return pa.table({**columns, _TOKENS: figures[_TOKENS]})


def _alone(blocks: Blocks) -> Blocks:
    return blocks


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
