"""Selection from Python."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import ArrayLike

from sage_select.api.given import Given
from sage_select.api.options import by_stage, files
from sage_select.api.reporter import Callback
from sage_select.api.selection import Selection
from sage_select.api.values import plain_values, validated
from sage_select.cache import cache_folder
from sage_select.data.by_id import is_table
from sage_select.display import displayed
from sage_select.engine import finish
from sage_select.errors import SageWarning, UsageError
from sage_select.pipeline import Pipeline, Stage
from sage_select.pipeline.clashes import keyword_of
from sage_select.pipeline.plan import resolve
from sage_select.stages import (
    Augment,
    Dedup,
    Embed,
    Holdout,
    Labelled,
    Mix,
    Order,
    Predict,
    Replay,
    Score,
    Select,
    Source,
)

__all__ = ["planned", "select"]


def select(
    data: Any = None,
    *,
    k: int | None = None,
    embeddings: ArrayLike | pa.Array | pa.ChunkedArray | str | None = None,
    scores: ArrayLike | str | None = None,
    probabilities: ArrayLike | pa.Array | pa.ChunkedArray | str | None = None,
    groups: ArrayLike | pa.Array | pa.ChunkedArray | None = None,
    lengths: ArrayLike | None = None,
    seed: int = 0,
    verify: bool = True,
    cache: bool | str | Path = True,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Selection:
    """Select the rows worth training on.

    Parameters
    ----------
    data
        A path, glob or URL; anything with `__arrow_c_stream__` (a polars or pandas frame, a pyarrow table or reader of
        batches, a DuckDB relation); a polars LazyFrame; a `datasets.Dataset`; a pyarrow `Dataset` or `Scanner`; a list
        of dictionaries; or None when the arrays alone say how many rows there are.
    k
        How many rows: the same as `budget`, which may also be `"10%"` of those that are not excluded, a fraction as a
        float, or tokens, as in `"200k tokens"`: then the strategy's order is walked, and rows that no longer fit are
        passed over. 10 % where neither is given.
    embeddings
        One vector a row, (n, d) float16, float32 or float64; an Arrow array or a Series of lists of them, a tensor, a
        table, the `Path` of an `.npy` file or of a table that `sage-select embed` wrote, or the name of a list column.
        Without it the hashing encoder makes vectors from the text. Read-only and Arrow float32 rows that need no
        scaling are not copied: leave them unchanged for as long as the selection is in use.
    scores
        One number a row, (n,), the `Path` of an `.npy` file, or of a table of which `scores_column` names a column,
        or the name of a column. Without it rows are scored by lexical difficulty. A
        float32 array is not copied: leave it unchanged for as long as the selection is in use.
    probabilities
        How likely a model of yours finds each class, for the strategies `uncertainty` and `badge`: (n, classes), each
        row summing to 1, or logits with `predictions_are="logits"`; of the same kinds as `embeddings`, or the name of a
        list column. Without it a logistic regression learns from the `labelled` rows.
    groups
        The values of the column of a `quota`, one a row, where `data` has none.
    lengths
        The tokens of each row, one whole number a row, where they are known.
    seed
        Same input, settings and seed: same rows, whatever the threads.
    verify
        Refuse files that `sage-select` has written and that were changed since, by the digests in their manifests.
    cache
        Where values of models are held, so that none is computed twice: a folder, True for `SAGE_CACHE_DIR` or
        `~/.cache/sage-select`, False to compute all.
    threads
        Threads to use; None for `SAGE_THREADS` or all cores.
    progress
        Called with (done, total) while the long kernels run.
    **options
        OPTIONS

    Notes
    -----
    `queries` may also be rows like those of `data`, as a table or a list, or vectors (q, d) of the encoder that made
    `embeddings`. `holdout` and `labelled` may be a path, several, or rows of any shape, as a table or a list. `pin`,
    `exclude` and `preselected` may be lists of ids; whole numbers in a list are row numbers, counted from 0, unless the
    rows have ids of their own (`id_column`, or a column `sage_row_id`). Row numbers are those of the input, whatever
    left before the selection; exact copies do where there are rows, unless `dedup` says otherwise.

    Returns
    -------
    Selection
        `.indices`, `.gains`, `.reasons`, `.duplicate_of`, `.notices`, `.metrics`, `.lineage()`, `.table()`,
        `.to_polars()`, `.to_pandas()`, `.write()`; an Arrow stream itself.

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
    notices: list[str] = []
    values: dict[str, Any] = {
        "embeddings": embeddings,
        "scores": scores,
        "probabilities": probabilities,
        "groups": groups,
        "lengths": lengths,
    }
    plan, given = planned(data, notices.append, k=k, seed=seed, **values, **options)
    done = finish(
        plan,
        Callback(progress),
        given.values,
        notices=notices,
        verify=verify,
        threads=threads,
        cache=cache_folder(cache),
    )
    for notice in done.notices:
        warnings.warn(displayed(notice), SageWarning, stacklevel=2)
    return Selection(done)


def planned(
    data: Any,
    notice: Callable[[str], None],
    *,
    k: int | None = None,
    embeddings: Any = None,
    scores: Any = None,
    probabilities: Any = None,
    groups: Any = None,
    lengths: Any = None,
    seed: int = 0,
    **options: Any,
) -> tuple[Pipeline, Given]:
    """Return the resolved pipeline of a call of `select`, and what it hands over; no row is read.

    Raises
    ------
    UsageError
        As `select` does, for what its arguments alone tell.
    """
    of_stage = by_stage(options)
    chosen_options = of_stage["select"]
    if k is not None and chosen_options.get("budget") is not None:
        raise UsageError("give k or budget, not both", got=f"k={k!r} and budget={chosen_options['budget']!r}")
    if isinstance(scores, Path) and of_stage["score"].get("scores_column") is not None:
        of_stage["score"]["file"], scores = str(scores), None  # a table, which is read by the ids of rows
    if isinstance(embeddings, Path) and (
        is_table(str(embeddings)) or of_stage["embed"].get("embeddings_column") is not None
    ):
        of_stage["embed"]["file"], embeddings = str(embeddings), None
    embeddings, scores = plain_values(embeddings, "embeddings"), plain_values(scores, "scores")
    probabilities = plain_values(probabilities, "probabilities")
    groups, lengths = plain_values(groups, "groups"), plain_values(lengths, "lengths")
    given = Given()
    source = Source.make(
        path=given.rows(data, scores=scores, embeddings=embeddings, probabilities=probabilities), **of_stage["source"]
    )
    for name in files():
        value = chosen_options.get(name)
        chosen_options[name] = given.file(f"select.{name}", validated(_as_text(value), name))
    given.value("select.groups", groups)
    given.value("select.lengths", lengths)
    if k is not None:
        chosen_options["budget"] = k
    if groups is not None and chosen_options.get("quota") is None:
        chosen_options["quota"] = "groups"
    chosen = Select.make(**{name: _as_text(value) for name, value in chosen_options.items()})
    dedup = _dedup(of_stage["dedup"], data)
    steps: list[Stage] = [source, *_holdout(of_stage["holdout"], given), *_labelled(of_stage["labelled"], given)]
    steps += [dedup, *_mix(of_stage["mix"])]
    # Which end is hard says nothing of where scores come from; that the low one is needs some.
    if (
        scores is not None
        or of_stage["score"].keys() - {"higher_is_harder"}
        or not of_stage["score"].get("higher_is_harder", True)
    ):
        origin = {} if scores is None else given.column_or_file("score.file", scores)
        steps.append(Score.make(**origin, **of_stage["score"]))
    # Beside rows, vectors that nothing uses are refused; alone they say how many rows there are.
    if of_stage["embed"] or (
        embeddings is not None
        and (data is not None or "vectors" in {*chosen.needs(), *(need for step in steps for need in step.needs())})
    ):
        origin = {} if embeddings is None else given.column_or_file("embed.file", embeddings)
        steps.append(Embed.make(**origin, **of_stage["embed"]))
    if of_stage["predict"] or probabilities is not None:
        origin = {} if probabilities is None else given.column_or_file("predict.file", probabilities)
        steps.append(Predict.make(**origin, **of_stage["predict"]))
    steps += [chosen, *_replay(of_stage["replay"])]
    if of_stage["order"]:
        steps.append(Order.make(**of_stage["order"]))
    if of_stage["augment"]:
        steps.append(Augment.make(**of_stage["augment"]))
    return resolve(Pipeline(seed=seed, steps=tuple(steps)), notice), given


def _as_text(value: Any) -> Any:
    """Return a path as text, and all else as it is."""
    return str(value) if isinstance(value, Path) else value


def _holdout(settings: Mapping[str, Any], given: Given) -> list[Stage]:
    """Return the stage that drops what repeats held-out rows, where there are such."""
    if not settings:
        return []
    path = settings.get("path")
    if path is None:
        raise UsageError("no held-out rows are named", got=f"holdout_{next(iter(settings))}", hint="give holdout")
    return [Holdout.make(**{**settings, "path": given.files("holdout.path", path)})]


def _labelled(settings: Mapping[str, Any], given: Given) -> list[Stage]:
    """Return the stage that takes labelled rows out of the pool, where there are such."""
    if not settings:
        return []
    path = settings.get("path")
    return [Labelled.make(**{**settings, "path": None if path is None else given.files("labelled.path", path)})]


def _mix(settings: Mapping[str, Any]) -> list[Stage]:
    """Return the stage that draws rows in given shares, where there are such."""
    if not settings:
        return []
    if "shares" not in settings:
        raise UsageError("no shares to mix in are given", got=f"mix_{next(iter(settings))}", hint="give mix")
    return [Mix.of(settings, {name: keyword_of(Mix, name, info) or name for name, info in Mix.options().items()})]


def _replay(settings: Mapping[str, Any]) -> list[Stage]:
    """Return the stage that adds rows of a replay buffer, where one is named."""
    if not settings:
        return []
    if "buffer" not in settings:
        raise UsageError("no replay buffer is named", got=f"replay_{next(iter(settings))}", hint="give replay")
    return [Replay.make(**settings)]


def _dedup(settings: Mapping[str, Any], data: Any) -> Dedup:
    """Return the dedup that was asked for, or that of rows where nothing is said; arrays alone say nothing."""
    return Dedup(mode="none") if not settings and data is None else Dedup.make(**settings)
