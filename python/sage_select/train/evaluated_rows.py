"""Which rows are evaluated during training: a part of the selection that is held out, or rows of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sage_select.display import counted
from sage_select.errors import UsageError
from sage_select.train.config import TrainConfig
from sage_select.train.data import TrainingRows, tokenise_as
from sage_select.train.overlap import find_overlap
from sage_select.train.selection import OrderedRows, load_selection
from sage_select.train.split import FEW_ROWS, split
from sage_select.train.stages import Stages

if TYPE_CHECKING:
    from sage_select.render.tokens import Renderer
    from sage_select.train.replaying import Replay

__all__ = ["evaluated_rows", "tokenise_held_out", "without_replayed"]


def evaluated_rows(
    selection: OrderedRows, config: TrainConfig, eval_data: Any, notice: Callable[[str], None]
) -> tuple[OrderedRows, OrderedRows | None]:
    """Return the rows to train on, and those to evaluate; of the latter none that repeats one of the former.

    Parameters
    ----------
    eval_data
        Rows to evaluate, as a selection is given; None: those that `eval_split` holds out, if any.

    Raises
    ------
    UsageError
        If there are both, or settings that need held-out rows, and none.
    DataError
        If no row is left to evaluate.
    """
    if eval_data is not None and config.eval_split:
        raise UsageError(
            "rows to evaluate are given, and a part of the selection is to be held out as well",
            hint="leave out eval_split, or the rows",
        )
    if config.eval_split:
        trained, held_out, notices = split(selection, config.eval_split)
    elif eval_data is not None:
        trained, everything = selection, load_selection(eval_data, config)
        overlap = find_overlap(everything, trained)
        held_out, notices = overlap.apart(everything), [*everything.notices, *overlap.notices]
    elif config.evaluates:
        raise UsageError(
            "nothing can be evaluated during training: there are no held-out rows",
            hint="hold out a part of the selection with --eval-split 2%, or name rows with --eval-data",
        )
    else:
        return selection, None
    for text in notices:
        notice(text)
    return trained, held_out


def without_replayed(held_out: OrderedRows | None, replay: Replay, notice: Callable[[str], None]) -> OrderedRows | None:
    """Return the rows to evaluate that repeat none of those that are replayed, which are trained, too.

    Raises
    ------
    DataError
        If no row is left to evaluate.
    """
    if held_out is None or replay.replayed is None:
        return held_out
    overlap = find_overlap(held_out, replay.replayed)
    if overlap.overlapping:
        notice(f"of rows that are replayed: {overlap.notices[0]}")
    return overlap.apart(held_out)


def tokenise_held_out(
    rows: OrderedRows, renderer: Renderer, config: TrainConfig, stages: Stages, notice: Callable[[str], None]
) -> TrainingRows:
    """Tokenise the rows to evaluate, as those to train on are, and tell what becomes of them.

    Raises
    ------
    DataError
        If rows are damaged, or none has anything to evaluate.
    """
    with stages("tokenising held-out rows") as progress:
        found = tokenise_as(config, rows, renderer, progress)
    for text in found.summary.lines:
        notice(f"held-out rows: {text}")
    if found.summary.rows_trained < FEW_ROWS:
        notice(
            f"the loss during training is that of {counted(found.summary.rows_trained, 'held-out row')} alone, which "
            "says little of other rows"
        )
    return found
