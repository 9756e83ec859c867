"""Selection from Python."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import ArrayLike

from sage_select.api.frames import SCORES, asked, embedded, frame_of_arguments, scored
from sage_select.api.limits import limited, listed
from sage_select.api.record import record_of
from sage_select.api.selection import Selection
from sage_select.api.talk import Callback
from sage_select.api.values import plain_values, validated
from sage_select.display import displayed
from sage_select.engine.base import Recorder
from sage_select.engine.local.dedup import without_exact_copies, without_near_copies
from sage_select.engine.local.queries import with_query_rows, with_query_vectors
from sage_select.engine.local.score import checked_scores
from sage_select.engine.local.select import check_limits, select_rows
from sage_select.errors import DataError, SageWarning, UsageError
from sage_select.ops import AUTO, NO_SCORES, WITHOUT_SCORES, Budget, Dedup, Select, Source
from sage_select.plan import refuse_unused_vectors, working_order
from sage_select.render import ShapeOptions

__all__ = ["select"]


def select(
    data: Any = None,
    *,
    k: int | None = None,
    budget: int | float | str | None = None,
    strategy: str = "auto",
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
    queries: Any = None,
    query_column: str | None = None,
    target_rule: str | None = None,
    threshold: float | None = None,
    quota: str | None = None,
    groups: ArrayLike | pa.Array | pa.ChunkedArray | None = None,
    pin: str | Path | Sequence[object] | None = None,
    exclude: str | Path | Sequence[object] | None = None,
    tokenizer: str | None = None,
    lengths: ArrayLike | None = None,
    clamp: bool = False,
    seed: int = 0,
    text_column: str | None = None,
    prompt_column: str | None = None,
    completion_column: str | None = None,
    template: str | None = None,
    id_column: str | None = None,
    on_bad_row: str = "error",
    max_bad: int | str | None = None,
    verify: bool = True,
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
        rows first, without those too near to one before). `auto`: `hybrid` with scores, `diversity` without, since a
        score made of the words alone picks worse than none.
    objective
        `facility` (default: rows that represent all others), `graph_cut` (rows like many and unlike each other),
        `kcenter` (rows far from one another), `mmr` (hard rows unlike those picked before), `dpp` (rows that span
        much), `herding` (rows whose mean is that of all), `d2` (rows drawn by their distance from those before) or
        `kmeans` (the row in the middle of each of k cells).
    embeddings
        One vector a row, (n, d) float16, float32 or float64; an Arrow array or a Series of lists of them, a tensor, the
        path of an `.npy` file as a `Path`, or the name of a list column. Without it the hashing encoder makes vectors
        from the text. Read-only and Arrow float32 rows that need no scaling are not copied: leave them unchanged for as
        long as the selection is in use.
    scores
        One number a row, (n,), a `Path`, or the name of a column. Without it rows are scored by lexical difficulty. A
        float32 array is not copied: leave it unchanged for as long as the selection is in use.
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
        `exact` (the default where there are rows): those that say the same as an earlier one, but for Unicode form and
        white space, leave before anything is picked. `near`: these, and rows whose vectors are as similar as the
        threshold to one that stays. `none`: copies are rows like any others. Budgets are of the rows that stay; row
        numbers remain those of the input.
    dedup_threshold
        The cosine similarity from which on a row is a near copy (0.95).
    score_share, score_mode, score_quantile
        The score part of `hybrid`: its share (0.6); how rows are taken by score, there (`stratified`) and in
        `loss_topk` (`top`), or by `band`; and the quantile within a region (0.25).
    score_band
        Between which shares of easier rows a `band` lies: `"0:0.9"` leaves the hardest tenth out.
    queries, query_column
        What `target` looks for: rows like those of `data`, as a table, a list or a path; vectors (q, d) of the encoder
        that made `embeddings`, as an array or a path (.npy); or a column of truth values that marks rows of `data` as
        queries, which then are not picked.
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
        line. Whole numbers in a list are row numbers, counted from 0, unless the rows have ids of their own
        (`id_column`, or a column `sage_row_id`): then they are ids. Numbers of a file are ids, or row numbers where
        only arrays are given.
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
    on_bad_row
        What is done about rows that cannot be used: `error`, which tells of all of them by kind, or `drop`.
    max_bad
        How many may be dropped: a number, or a share such as `"1%"` (the default; one row at least).
    verify
        Refuse files that `sage-select` has written and that were changed since, by the digests in their manifests.
    threads
        Threads to use; None for `SAGE_THREADS` or all cores.
    progress
        Called with (done, total) while the long kernels run.

    Returns
    -------
    Selection
        `.indices`, `.gains`, `.reasons`, `.duplicate_of`, `.notices`, `.table()`, `.to_polars()`, `.to_pandas()`,
        `.write()`; an Arrow stream itself.

    Warns
    -----
    SageWarning
        Of what a build would say, such as scores made of words alone; `Selection.notices` holds the same.

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
    queries, pin, exclude, tokenizer = (_spelt(value) for value in (queries, pin, exclude, tokenizer))
    embeddings, scores = plain_values(embeddings, "embeddings"), plain_values(scores, "scores")
    groups, lengths = plain_values(groups, "groups"), plain_values(lengths, "lengths")
    queries, pin, exclude = (
        validated(value, name) for name, value in (("queries", queries), ("pin", pin), ("exclude", exclude))
    )
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
    chosen = op.chosen(scored=scores is not None)
    repeated = _dedup(dedup, dedup_threshold, data)
    talk = Recorder(Callback(progress))
    if op.strategy == AUTO and chosen.strategy == WITHOUT_SCORES:
        talk.notice(NO_SCORES)
    op = chosen
    options = ShapeOptions(
        text_column=text_column,
        prompt_column=prompt_column,
        completion_column=completion_column,
        template=template,
    )
    source = Source.make(path="data", id_column=id_column, on_bad_row=on_bad_row, max_bad=max_bad)
    if data is not None and embeddings is not None:
        refuse_unused_vectors(op, repeated)
    frame = frame_of_arguments(data, scores, embeddings, options, source, repeated, query_column, talk, verify=verify)
    frame = limited(frame, op, groups, lengths, talk)
    own_ids = id_column is not None or (frame.rows is not None and "sage_row_id" in frame.rows.table.column_names)
    frame = listed(frame, pin, exclude, own_ids=own_ids)
    frame = with_query_rows(frame, op)
    check_limits(frame, op, seed)
    for part in working_order(repeated, scores_given=scores is not None, vectors_given=embeddings is not None):
        if part == "score":
            frame = scored(frame, scores, op, higher_is_harder, talk, look=repeated is not None)
        elif part == "embed":
            if op.needs_embedding or (repeated is not None and repeated.near):
                frame = embedded(
                    asked(frame, op, queries, embeddings, options, verify=verify), embeddings, op, talk, threads
                )
        elif repeated is not None:
            if part == "exact copies":
                frame = without_exact_copies(frame, repeated)
            else:
                frame = without_near_copies(frame, repeated, seed, talk, threads)
            check_limits(frame, op, seed)
    frame = with_query_vectors(frame, op)
    try:
        picks = select_rows(frame, op, seed, talk, threads)
    except DataError:
        # The kernel met a score that had not been looked at yet; the check tells all about it.
        if frame.scores is not None:
            checked_scores(frame.scores.values, frame, SCORES)
        raise
    record = record_of(
        frame,
        op,
        repeated,
        seed,
        options,
        source,
        higher_is_harder=higher_is_harder,
        given={
            "scores": scores,
            "embeddings": embeddings,
            "queries": queries,
            "pin": pin,
            "exclude": exclude,
            "groups": groups,
            "lengths": lengths,
        },
    )
    for notice in talk.notices:
        warnings.warn(displayed(notice), SageWarning, stacklevel=2)
    return Selection(frame, picks, op, seed, threads, talk.notices, record=record)


def _spelt(value: Any) -> Any:
    """Return a path as text, and all else as it is."""
    return str(value) if isinstance(value, Path) else value


def _dedup(mode: str | None, threshold: float | None, data: Any) -> Dedup | None:
    """Return the dedup that was asked for, or that of rows where nothing is said; arrays alone say nothing."""
    if mode is None and threshold is None and data is None:
        return None
    dedup = Dedup.make(mode=mode, threshold=threshold)
    return None if dedup.idle else dedup
