"""The vectors of the rows that a selection chose from: read again, held in the cache, or made anew from the words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.cache import Blocks, Cache, Computed, most_bytes
from sage_select.cache.blocks import Compute, Identity, Span
from sage_select.columns import Origin
from sage_select.data import Dataset
from sage_select.display import displayed, is_url
from sage_select.errors import SageError
from sage_select.kernels.vectors import vectors_of_lists
from sage_select.paths import STREAM
from sage_select.pipeline import Run, Stage
from sage_select.pipeline.run import GIVEN, Recorder, Reporter
from sage_select.report.selection.facts import NO_ROW_REPORT, Facts
from sage_select.stages import Embed, Source

__all__ = ["PoolVectors", "pool_vectors"]

#: Bytes that vectors which are made anew may take; those that lie in a file are mapped.
_MOST_BYTES: Final = 2 << 30


@dataclass(frozen=True)
class PoolVectors:
    """One vector for each row that the last selection chose from.

    Attributes
    ----------
    origin
        Where they are from, in words.
    n, d
        How many there are, and how wide they are.
    cosine
        Whether they are compared by their directions alone.
    """

    origin: str
    n: int
    d: int
    cosine: bool
    _vectors: Any = field(repr=False)
    _places: NDArray[np.int64] = field(repr=False)

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of some rows of the pool, by their places, float32 (r, d), of length 1 under cosine."""
        places = self._places[rows]
        if isinstance(self._vectors, pa.Array | pa.ChunkedArray):
            lists = self._vectors.take(pa.array(places))
            values = vectors_of_lists(lists, self.origin).values.to_numpy().reshape(len(places), self.d)
        else:
            values = self._vectors[places]
        found: NDArray[np.float32] = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        if self.cosine:
            lengths = np.sqrt(np.square(found, dtype=np.float64).sum(1))
            found /= np.where(lengths > 0, lengths, 1.0)[:, None]
        return found


def pool_vectors(
    facts: Facts, reporter: Reporter, *, embeddings: str | None = None, cache: Path | None = None
) -> PoolVectors | str:
    """Return the vectors of the pool, or why they cannot be had.

    Parameters
    ----------
    facts
        The selection.
    reporter
        Who is told of progress.
    embeddings
        A `.npy` file with one vector for each row of the input, in place of those that the run used.
    cache
        Where values of models are held. No model is run: what is not held is not to be had.

    Raises
    ------
    SageError
        Where `embeddings` is given and cannot be used.
    """
    pool = facts.pool
    if isinstance(pool, str):
        return pool
    if facts.report is None:
        return NO_ROW_REPORT
    if not len(pool.rows):
        return "no row reached the selection"
    metric = getattr(facts.choice, "metric", None)
    if embeddings is not None:
        array = io.read_npy(io.Beside().file(embeddings), rows=facts.read_n, kind="embeddings")
        return _of_pool(array, pool.rows, f"the file {embeddings}", metric)
    try:
        return _again(facts, reporter, pool.rows, metric, cache)
    except _AbsentError as error:
        return str(error)
    except SageError as error:
        first = displayed(str(error).partition("\n")[0])
        return (
            f"they cannot be read again ({first}): run it in the folder of the build, or name a file with --embeddings"
        )


class _AbsentError(Exception):
    """Why vectors are not to be had."""


def _of_pool(vectors: Any, places: NDArray[np.int64], origin: str, metric: str | None) -> PoolVectors:
    d = vectors.type.list_size if isinstance(vectors, pa.Array | pa.ChunkedArray) else vectors.shape[1]
    return PoolVectors(origin, len(places), int(d), metric in (None, "cosine"), vectors, places)


def _again(
    facts: Facts, reporter: Reporter, rows: NDArray[np.int64], metric: str | None, cache: Path | None
) -> PoolVectors:
    if facts.plan is None:
        raise _AbsentError("the plan holds what is not installed here")
    steps = [step for _, step in facts.steps]
    end = next((place for place in reversed(range(len(steps))) if steps[place].chooses), 0)
    embed = next((step for step in reversed(steps[:end]) if isinstance(step, Embed)), None)
    if embed is None:
        raise _AbsentError(
            "this strategy compares no vectors, and the run made none: name a file of vectors with --embeddings"
        )
    _refuse_unread(embed)
    _refuse_changed(facts, embed)
    in_memory = GIVEN in str(embed.settings())
    source = next(step for step in steps if isinstance(step, Source))
    if in_memory or (source.path == GIVEN and not embed.given):
        raise _AbsentError("they were handed over in memory: name the file they are in with --embeddings")
    run = Run(steps, facts.manifest["seed"], Recorder(_Quiet(reporter)), facts.threads, verify=False)
    if cache is not None:
        run.cache = Cache(cache, most_bytes(), lambda _: None)
    run.share = _held_alone
    if not (embed.given and embed.encoder.name == "file"):
        _refuse_unread(source)
    data = _dataset(facts, source, embed, run)
    if not embed.given:
        _refuse_costly(embed, data, cache)
    vectors, data, name = embed.vectors(data, run)
    if isinstance(vectors, pa.Array | pa.ChunkedArray):
        vectors = vectors if isinstance(vectors, pa.ChunkedArray) else pa.chunked_array([vectors])
        if not pa.types.is_fixed_size_list(vectors.type):
            raise _AbsentError("they are lists of no one width")
    numbers = data.input_rows(np.arange(data.n))
    places = np.searchsorted(numbers, rows)
    if not len(numbers) or (numbers[np.minimum(places, len(numbers) - 1)] != rows).any():
        raise _AbsentError("rows came in after the vectors were made, and have none")
    if embed.encoder.name == "hashing":
        origin = f"made anew by the {name}"
    else:
        origin = embed.describe() if embed.given else f"held in the cache, by {embed.describe()}"
    return _of_pool(vectors, places, origin, metric)


def _refuse_unread(stage: Stage) -> None:
    """Refuse what can be read once only, or lies elsewhere: a report waits for no pipe, and fetches nothing."""
    for setting in stage.inputs():
        path = Path(setting.value)
        once = setting.value == STREAM or (path.exists() and not (path.is_file() or path.is_dir()))
        if once or is_url(setting.value):
            how = "came from a stream" if once else "would have to be fetched again"
            raise _AbsentError(f"what they are made of {how}: name a file of vectors with --embeddings")


def _refuse_changed(facts: Facts, embed: Embed) -> None:
    """Refuse files that are not those that the run read."""
    for setting in embed.inputs():
        known = facts.manifest["inputs"].get(setting.name)
        if setting.kind not in ("rows", "file") or known is None or setting.value == GIVEN:
            continue
        found = io.rows_digest(setting.value) if setting.kind == "rows" else io.Beside().digest(setting.value)
        if found != known:
            raise _AbsentError(f"{setting.value} is not as it was when the selection was built")


def _refuse_costly(embed: Embed, data: Dataset, cache: Path | None) -> None:
    """Refuse to run a model, or to make more numbers than memory has room for."""
    width = getattr(embed.encoder, "dimensions", None)
    if width is None and cache is None:
        raise _AbsentError(f"they are those of {embed.describe()}, and without a cache they would have to be made anew")
    if width is not None and 4 * width * data.n > _MOST_BYTES:
        raise _AbsentError(
            f"{data.n:,} vectors of {width:,} numbers take more than 2 GiB to make anew: "
            "sage-select embed writes them once, and --embeddings names the file"
        )


def _dataset(facts: Facts, source: Source, embed: Embed, run: Run) -> Dataset:
    """Return the rows that were embedded, as they were then."""
    n = facts.read_n
    if embed.given and embed.encoder.name == "file":
        # Their ids are known, and no more is asked for.
        report = facts.report
        ids = None if report is None else report["sage_row_id"].slice(0, n)
        return Dataset(n=n, ids=ids)
    rows = source.read(run)
    if not isinstance(rows, io.Rows) or rows.digest != facts.manifest["source"]["digest"]:
        raise _AbsentError(f"{facts.manifest['source']['name']} is not as it was when the selection was built")
    data = source.dataset(rows, run)
    return data if embed.given and not data.n < n else _as_embedded(facts, embed, data)


def _as_embedded(facts: Facts, embed: Embed, data: Dataset) -> Dataset:
    """Return the rows without those that had left before they were embedded.

    The manifest tells how many were embedded, and causes in the order in which rows left for them.
    """
    node: dict[str, Any] = next(
        (one for one in facts.manifest["nodes"] if one["stage"].partition(" ")[0] == embed.name), {}
    )
    embedded = node.get("rows_in")
    left, gone = facts.read_n, []
    for cause, count in facts.causes():
        if left == embedded:
            break
        gone.append(cause)
        left -= count
    report = facts.report
    if left != embedded or report is None:
        raise _AbsentError("which rows were embedded cannot be told: others were added before that")
    out = np.zeros(report.num_rows, np.bool_)
    for cause in gone:
        own = pc.and_(pc.equal(report["stage"], cause.stage), pc.equal(report["reason"], cause.reason))
        out |= pc.fill_null(own, False).to_numpy() & ~report["kept"].to_numpy()
    out |= pc.not_equal(report["origin"], Origin.SELECTED).to_numpy()
    stays = np.flatnonzero(~out)
    places = data.positions(stays)
    if len(places) != len(stays) or len(stays) != embedded:
        raise _AbsentError("the rows are read otherwise now than when the selection was built")
    leaves = np.ones(data.n, np.bool_)
    leaves[places] = False
    return data.drop(leaves, gone[-1]) if gone and leaves.any() else data


def _held_alone(blocks: Blocks) -> Blocks:
    """Return what gives blocks from the cache, and refuses to compute any."""

    def refused(_start: int, _stop: int) -> Computed:
        raise _AbsentError(
            "they are those of a model, and are not in the cache any more: "
            "sage-select embed writes them to a file, and --embeddings names it"
        )

    def give(identity: Identity, of: Sequence[Span], compute: Compute) -> Iterator[pa.Table]:
        del compute
        yield from blocks(identity, of, refused)

    return give


class _Quiet:
    """A reporter that shows progress, and says nothing: what there was to say was said by the build."""

    def __init__(self, reporter: Reporter) -> None:
        self.progress = reporter.progress

    def notice(self, text: str) -> None:
        """Say nothing."""
