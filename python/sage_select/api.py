"""Selection from Python: `select` and what it returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from sage_select import io
from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame, Lengths, Scores
from sage_select.engine.local.dedup import without_exact_copies, without_near_copies
from sage_select.engine.local.embed import embed_rows
from sage_select.engine.local.evidence import compare_with_random
from sage_select.engine.local.limits import groups_of, id_list, limit_rows, listed_rows
from sage_select.engine.local.output import reason_column, selected_table
from sage_select.engine.local.queries import read_queries, with_query_rows, with_query_vectors
from sage_select.engine.local.score import checked_scores, score_rows
from sage_select.engine.local.select import check_limits, select_rows
from sage_select.engine.local.source import frame_of
from sage_select.errors import DataError, UsageError, Where
from sage_select.kernels import Matrix
from sage_select.ops import Budget, Dedup, Embed, Score, Select
from sage_select.plan import working_order
from sage_select.render import ShapeOptions
from sage_select.strategies import Picks

__all__ = ["Selection", "select"]

_SCORES = Where(file="scores")


class Selection:
    """The rows that were selected, in pick order, with the evidence.

    It is itself an Arrow stream: hand it to polars, pyarrow, duckdb or `sage_select.train.train`.
    """

    def __init__(self, frame: Frame, picks: Picks, budget: Budget, seed: int, threads: int | None) -> None:
        self._frame = frame
        self._picks = picks
        self._budget = budget
        self._seed = seed
        self._threads = threads

    def __len__(self) -> int:
        return len(self._picks.indices)

    def __repr__(self) -> str:
        left = self._frame.left
        return f"Selection({len(self):,} of {self._frame.n if left is None else left.n:,} rows)"

    @property
    def indices(self) -> NDArray[np.int64]:
        """int64 (k,): row numbers of the input, in pick order."""
        return self._frame.input_rows(self._picks.indices)

    @property
    def gains(self) -> NDArray[np.float32]:
        """float32 (k,): the objective's gain at each pick; NaN where the rule has none."""
        return self._picks.gains

    @cached_property
    def reasons(self) -> list[str]:
        """Which rule picked each row: one of the values of `sage_reason`, in pick order."""
        reasons: list[str] = reason_column(self._picks.reasons).to_pylist()
        return reasons

    @property
    def duplicate_of(self) -> NDArray[np.int64]:
        """int64 (n,): for each row of the input the row that it repeats, by `dedup`; -1 where it repeats none."""
        repeats = self._frame.repeats
        return np.where(repeats.stayed, -1, repeats.leaders)

    @property
    def evidence(self) -> dict[str, Any]:
        """Facts about the run: the method used, the number of cells, digests."""
        return {**self._frame.evidence, **self._picks.evidence}

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The selection beside random rows: coverage, duplicates, scores and lengths, as in the manifest of a build.

        Computed when it is first asked for, at a cost of about a second at most for a million rows.
        """
        return compare_with_random(self._frame, self._picks, self._budget, self._seed, _Callback(None), self._threads)

    def table(self) -> pa.Table:
        """Return the selected rows in training order (`sage_position`), with all `sage_` columns."""
        return selected_table(self._frame, self._picks, self._seed)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows of `table()` as an Arrow C stream."""
        return self.table().__arrow_c_stream__(requested_schema)


def select(
    data: Any = None,
    *,
    k: int | None = None,
    budget: int | float | str | None = None,
    strategy: str = "hybrid",
    objective: str | None = None,
    embeddings: ArrayLike | pa.Array | pa.ChunkedArray | str | None = None,
    scores: ArrayLike | str | None = None,
    metric: str | None = None,
    outlier_guard: float | None = None,
    start: int | None = None,
    cut_lambda: float | None = None,
    k_nn: int | None = None,
    neighbors: str | None = None,
    mmr_lambda: float | None = None,
    dpp_eps: float | None = None,
    higher_is_harder: bool = True,
    dedup: str | None = None,
    dedup_threshold: float | None = None,
    score_share: float | None = None,
    score_mode: str | None = None,
    score_quantile: float | None = None,
    score_band: str | None = None,
    queries: ArrayLike | str | None = None,
    query_column: str | None = None,
    target_rule: str | None = None,
    threshold: float | None = None,
    quota: str | None = None,
    groups: ArrayLike | pa.Array | pa.ChunkedArray | None = None,
    pin: str | Sequence[object] | None = None,
    exclude: str | Sequence[object] | None = None,
    tokenizer: str | None = None,
    lengths: ArrayLike | None = None,
    clamp: bool = False,
    seed: int = 0,
    text_column: str | None = None,
    prompt_column: str | None = None,
    completion_column: str | None = None,
    template: str | None = None,
    id_column: str | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Selection:
    """Select the rows worth training on.

    Parameters
    ----------
    data
        A path, glob or URL; anything with `__arrow_c_stream__` (a polars frame, a pyarrow table); a polars
        LazyFrame; a `datasets.Dataset`; a list of dictionaries; or None when the arrays alone say how many rows
        there are.
    k, budget
        How many rows: a count, or `"10%"` of those that are not excluded, or a fraction as a float; or how many tokens,
        as in `"200k tokens"`: then the strategy's order is walked, and rows that no longer fit are passed over. 10 %
        where neither is given.
    strategy
        `random`, `loss_topk`, `diversity`, `hybrid`, `target` (the rows nearest to queries) or `threshold` (the hardest
        rows first, without those too near to one before).
    objective
        `facility` (default: rows that represent all others), `graph_cut` (rows like many and unlike each other),
        `kcenter` (rows far from one another), `mmr` (hard rows unlike those picked before), `dpp` (rows that span
        much), `herding` (rows whose mean is that of all), `d2` (rows drawn by their distance from those before) or
        `kmeans` (the row in the middle of each of k cells).
    embeddings
        One vector a row, (n, d) float16, float32 or float64, an Arrow array of lists of them, or the name of a list
        column. Without it the hashing encoder makes vectors from the text. Read-only and Arrow float32 rows that need
        no scaling are not copied: leave them unchanged for as long as the selection is in use.
    scores
        One number a row, (n,), or the name of a column. Without it rows are scored by lexical difficulty. A float32
        array is not copied: leave it unchanged for as long as the selection is in use.
    metric
        `cosine` (default), `dot` or `sqeuclidean`.
    outlier_guard
        The share of the rows that `kcenter` leaves out (0.05), those farthest from the middle of their region; 0 for
        none.
    start
        The row that `kcenter` picks first, by default the lowest that is no outlier.
    cut_lambda
        What likeness to all rows counts for in `graph_cut` (0.05): the larger, the more the picks crowd where rows are
        dense.
    k_nn, neighbors
        The graph by which `facility` and `graph_cut` see more than 20,000 rows: how many neighbours a row has, itself
        included (64), and who finds them, `cells` (our own search) or `faiss`.
    mmr_lambda
        What difficulty, taken as the share of rows that are easier, counts for in `mmr`, from 0 to 1 (0.5).
    dpp_eps
        The ridge of `dpp` (0.1): the larger, the sooner rows like the picks come again.
    higher_is_harder
        False where a low score means a hard row.
    dedup
        `exact`: rows that say the same as an earlier one, but for Unicode form and white space, leave before anything
        is picked. `near`: these, and rows whose vectors are as similar as the threshold to one that stays. Budgets are
        of the rows that stay; row numbers remain those of the input.
    dedup_threshold
        The cosine similarity from which on a row is a near copy (0.95).
    score_share, score_mode, score_quantile
        The score part of `hybrid`: its share (0.6); how rows are taken by score, there (`stratified`) and in
        `loss_topk` (`top`), or by `band`; and the quantile within a region (0.25).
    score_band
        Between which shares of easier rows a `band` lies: `"0:0.9"` leaves the hardest tenth out.
    queries, query_column
        What `target` looks for: vectors (q, d), a path to them (.npy) or to rows like those of `data`; or a column of
        truth values that marks rows of `data` as queries, which then are not picked.
    target_rule
        `round_robin` (default: each query in turn takes the nearest row left), `max` or `mean`.
    threshold
        From this similarity on (up to this squared distance under `sqeuclidean`) a row is too near in `threshold`: 0.9.
    quota
        `"COLUMN"`: as many rows of each of its values as of the others, or as near to that as can be;
        `"COLUMN=2:10"`, `"COLUMN=2:"` or `"COLUMN=:10"`: at least, and at most, so many of each.
    groups
        The values of that column, one a row, where `data` has none.
    pin, exclude
        Ids of rows that are selected in any case, and of rows that never are: a list, or a path to a file with one id a
        line. Rows without ids are known by their numbers.
    tokenizer
        Whose tokens are counted for a budget in tokens, a path or repository; words without one.
    lengths
        Those tokens, one whole number a row, where they are known.
    clamp
        Take what there is where the budget, or the fewest of a quota, ask for more.
    seed
        Same input, settings and seed: same rows, whatever the threads.
    text_column, prompt_column, completion_column, template
        Name the columns of a row whose shape is not recognised by itself.
    id_column
        The column that names the rows; without it their content does.
    threads
        Threads to use; None for `SAGE_THREADS` or all cores.
    progress
        Called with (done, total) while the long kernels run.

    Returns
    -------
    Selection
        `.indices`, `.gains`, `.reasons`, `.duplicate_of`, `.table()`; an Arrow stream itself.

    Raises
    ------
    UsageError
        If an argument is wrong or missing, the budget is more than there is, or two limits cannot both be kept: it
        says which, and by how much.
    DataError
        If a row, score or vector is refused; the message names the row.

    Examples
    --------
    >>> import sage_select
    >>> chosen = sage_select.select(scores=[0.1, 2.5, 1.0, 0.3], k=2, strategy="loss_topk")
    >>> chosen.indices.tolist()
    [1, 2]
    """
    if k is not None and budget is not None:
        raise UsageError("give k or budget, not both", got=f"k={k!r} and budget={budget!r}")
    amount = Budget.parse(k if k is not None else "10%" if budget is None else budget)
    op = Select.make(
        strategy=strategy,
        budget=amount,
        clamp=clamp,
        objective=objective,
        metric=metric,
        outlier_guard=outlier_guard,
        start=start,
        cut_lambda=cut_lambda,
        k_nn=k_nn,
        neighbors=neighbors,
        mmr_lambda=mmr_lambda,
        dpp_eps=dpp_eps,
        score_share=score_share,
        score_mode=score_mode,
        score_quantile=score_quantile,
        score_band=score_band,
        queries=queries if isinstance(queries, str) else None,
        query_column=query_column,
        target_rule=target_rule,
        threshold=threshold,
        quota="groups" if quota is None and groups is not None else quota,
        pin=pin if isinstance(pin, str) else None,
        exclude=exclude if isinstance(exclude, str) else None,
        tokenizer=tokenizer,
    )
    repeated = _dedup(dedup, dedup_threshold)
    talk = _Callback(progress)
    options = ShapeOptions(
        text_column=text_column,
        prompt_column=prompt_column,
        completion_column=completion_column,
        template=template,
    )
    frame = _frame(data, scores, embeddings, options, id_column)
    frame = _limited(frame, op, groups, lengths, talk)
    frame = dataclasses.replace(
        frame,
        pinned=_listed(frame, "pin", pin, frame.pinned),
        excluded=_listed(frame, "exclude", exclude, frame.excluded),
    )
    frame = with_query_rows(frame, op)
    check_limits(frame, op, seed)
    for part in working_order(repeated, scores_given=scores is not None, vectors_given=embeddings is not None):
        if part == "score":
            frame = _scored(frame, scores, op, higher_is_harder, talk, look=repeated is not None)
        elif part == "embed":
            if op.needs_embedding or (repeated is not None and repeated.near):
                frame = _embedded(_asked(frame, op, queries, embeddings, options), embeddings, op, talk, threads)
        elif repeated is not None:
            if part == "exact copies":
                frame = without_exact_copies(frame, repeated, talk, threads)
            else:
                frame = without_near_copies(frame, repeated, seed, talk, threads)
            check_limits(frame, op, seed)
    frame = with_query_vectors(frame, op)
    try:
        picks = select_rows(frame, op, seed, talk, threads)
    except DataError:
        # The kernel met a score that had not been looked at yet; the check tells all about it.
        if frame.scores is not None:
            checked_scores(frame.scores.values, _SCORES)
        raise
    return Selection(frame, picks, amount, seed, threads)


def _dedup(mode: str | None, threshold: float | None) -> Dedup | None:
    if mode is None and threshold is None:
        return None
    return Dedup.make(mode=mode, threshold=threshold)


class _Callback:
    """A talk for programs: progress goes to their callback, notices nowhere."""

    def __init__(self, progress: Callable[[int, int], None] | None) -> None:
        self._progress = progress

    def notice(self, text: str) -> None:
        """Say nothing: the caller asked for values, not for talk."""

    @contextmanager
    def progress(self, _label: str) -> Iterator[Callable[[int, int], None]]:
        """Pass progress on to the caller."""
        yield self._progress or (lambda _done, _total: None)


def _frame(data: Any, scores: Any, embeddings: Any, options: ShapeOptions, id_column: str | None) -> Frame:
    if data is not None:
        rows = io.read(data) if isinstance(data, str | Path) else io.from_object(data)
        return frame_of(rows, options, id_column)
    for name, value in (("scores", scores), ("embeddings", embeddings)):
        if isinstance(value, str):
            raise UsageError(f"{name}={value!r} names a column, and there is no data", hint="pass data, or an array")
        if value is not None:
            return Frame(n=len(value))
    raise UsageError("nothing to select from", hint="pass data, or scores or embeddings as arrays")


def _scored(frame: Frame, scores: Any, op: Select, higher_is_harder: bool, talk: Talk, *, look: bool) -> Frame:
    if isinstance(scores, str):
        return score_rows(frame, Score.make(column=scores, higher_is_harder=higher_is_harder), talk)
    if scores is not None:
        values = _array(scores, "scores", 1, frame.n)
        # A look at 10 million scores costs more than their ranking, which finds the bad ones in passing.
        seen_later = op.rule.ranks_scores and values.dtype == np.float32 and not look
        finite = values if seen_later else checked_scores(values, _SCORES)
        return dataclasses.replace(frame, scores=Scores(finite, higher_is_harder))
    if not op.needs_score:
        return frame
    if frame.rows is None:
        rule = f"strategy {op.strategy!r}" if op.rule.needs_score else f"objective {op.objective!r}"
        raise UsageError(f"{rule} needs scores", hint="pass scores, or data with text")
    return score_rows(frame, Score(), talk)


def _limited(frame: Frame, op: Select, groups: Any, lengths: Any, talk: Talk) -> Frame:
    """Return the frame with what the selection must keep; arrays stand for columns and tokens."""
    if lengths is not None:
        values = _array(lengths, "lengths", 1, frame.n)
        if values.dtype.kind not in "iu" or (len(values) and int(values.min()) < 0):
            raise DataError("lengths must be whole numbers from 0", where="lengths", got=str(values.dtype))
        frame = dataclasses.replace(frame, measured=Lengths(values.astype(np.int64), "tokens"))
    if groups is None:
        return limit_rows(frame, op, talk)
    values = groups if isinstance(groups, pa.Array | pa.ChunkedArray) else pa.array(np.asarray(groups).tolist())
    if len(values) != frame.n:
        raise _misfit("groups", 1, frame.n, f"{len(values):,} values")
    if values.null_count:
        row = pc.index(values.is_null(), True).as_py()
        raise DataError("the row has no value to be counted by", where=Where(file="groups", row=row), got="null")
    frame = limit_rows(frame, op.model_copy(update={"quota": None}), talk)
    return dataclasses.replace(frame, groups=groups_of(values.cast(pa.string())))


def _listed(frame: Frame, name: str, ids: Any, otherwise: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of a list of ids, where one is given and it is no path."""
    return otherwise if ids is None or isinstance(ids, str) else listed_rows(frame, id_list(name, ids))


def _asked(frame: Frame, op: Select, queries: Any, embeddings: Any, options: ShapeOptions) -> Frame:
    """Return the frame with the queries: vectors of an array, or what a file holds."""
    if queries is None or isinstance(queries, str):
        # Vectors that came as an array are as unknown as those of a file: words cannot be made like them.
        unknown = embeddings is not None and not isinstance(embeddings, str)
        return read_queries(frame, op, Embed(file="embeddings") if unknown else Embed(), options)
    try:
        array = np.asarray(queries)
    except ValueError:
        raise _ragged(queries, "queries", 2) from None
    if array.dtype.kind not in "fiu":
        raise _no_numbers(array, "queries")
    return dataclasses.replace(frame, queries=array.astype(np.float32) if array.dtype.kind in "iu" else array)


def _embedded(frame: Frame, embeddings: Any, op: Select, talk: Talk, threads: int | None) -> Frame:
    if embeddings is None or isinstance(embeddings, str):
        embed = Embed.make(column=embeddings)
        return embed_rows(frame, embed, op.metric, talk, threads)
    if not isinstance(embeddings, pa.Array | pa.ChunkedArray):
        embeddings = _array(embeddings, "embeddings", 2, frame.n)
    elif len(embeddings) != frame.n:
        raise _misfit("embeddings", 2, frame.n, f"{len(embeddings):,} rows")
    matrix = Matrix.from_array(embeddings, metric=op.metric, name="embeddings", threads=threads)
    return dataclasses.replace(frame, matrix=matrix)


def _array(value: Any, name: str, dimensions: int, n: int) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError:
        raise _ragged(value, name, dimensions) from None
    if array.ndim != dimensions or len(array) != n:
        raise _misfit(name, dimensions, n, f"shape {array.shape}")
    if array.dtype.kind not in "fiu":
        raise _no_numbers(array, name)
    return array


def _misfit(name: str, dimensions: int, n: int, got: str) -> DataError:
    wanted = f"{dimensions} dimension{'s' if dimensions > 1 else ''}, {n:,} rows"
    return DataError("this array does not fit the rows", where=name, expected=wanted, got=got)


def _ragged(value: Any, name: str, dimensions: int) -> DataError:
    """Name the first row that is shorter or longer than row 0."""
    shapes = [np.shape(row) for row in value]
    row = next((row for row, shape in enumerate(shapes) if shape != shapes[0]), None)
    return DataError(
        "rows differ in width", where=Where(file=name, row=row), expected=f"a {dimensions}-dimensional array"
    )


def _no_numbers(array: NDArray[Any], name: str) -> DataError:
    """Name the first value of an array of objects that is no number, such as None."""
    where, got = Where(file=name), f"dtype {array.dtype}"
    if array.dtype == object:
        for row, value in zip(np.indices(array.shape)[0].flat, array.flat, strict=True):
            if not isinstance(value, Real) or isinstance(value, bool):
                where, got = Where(file=name, row=int(row)), repr(value)
                break
    return DataError("numbers expected", where=where, got=got)
