"""The score stage: one number a row."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select import io
from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame, Scores
from sage_select.errors import DataError, UsageError, Where
from sage_select.ops import Score
from sage_select.render import examples
from sage_select.score import language_model_scores, lexical_scores

__all__ = ["checked_scores", "score_rows"]

_FLOAT32_MOST = float(np.finfo(np.float32).max)


def score_rows(frame: Frame, score: Score, talk: Talk) -> Frame:
    """Return the frame with scores.

    Raises
    ------
    DataError
        If a number is missing, NaN, infinite or beyond float32, or their count is not that of the rows.
    """
    if score.lexical:
        return _lexical(frame, talk)
    if score.model is not None:
        return _language_model(frame, score.model, score.higher_is_harder, talk)
    if score.file is not None:
        values: NDArray[Any] = frame.of_input(
            io.read_npy(frame.files.file(score.file), rows=frame.input_n, kind="scores")
        )
        checked = checked_scores(values, frame, Where(file=score.file))
    else:
        if frame.rows is None:
            raise UsageError("a score column needs rows", hint="pass the scores as an array")
        values = io.numeric_column(frame.rows, str(score.column))
        checked = checked_scores(values, frame, frame.rows.where(0, score.column))
    return dataclasses.replace(frame, scores=Scores(checked, score.higher_is_harder))


def checked_scores(values: NDArray[Any], frame: Frame, where: Where) -> NDArray[np.float32]:
    """Return the numbers of the frame's rows as float32, every one of them finite.

    `where` names the file or column; the row is added where a number is refused. Float32 values are returned as they
    are, not copied.
    """
    # Two reductions that need no memory; NaN fails both comparisons.
    if not len(values) or (float(values.min()) >= -_FLOAT32_MOST and float(values.max()) <= _FLOAT32_MOST):
        return np.asarray(values, np.float32)
    wide = np.asarray(values, np.float64)
    bad = np.flatnonzero(~(np.abs(wide) <= _FLOAT32_MOST))
    if len(bad):
        raise DataError(
            "a score must be a finite number" if len(bad) == 1 else f"{len(bad):,} scores are not finite numbers",
            where=dataclasses.replace(where, row=int(frame.input_rows(bad[:1])[0]), line=None),
            expected="a number within float32",
            got=str(wide[bad[0]]),
            hint="mend the score, or take the row out of the input",
        )
    return wide.astype(np.float32)


def _lexical(frame: Frame, talk: Talk) -> Frame:
    talk.notice("no scores given: rows are scored by lexical difficulty, log2(1 + words) + entropy of the words")
    return dataclasses.replace(frame, scores=Scores(lexical_scores(frame.texts)))


def _language_model(frame: Frame, model: str, higher_is_harder: bool, talk: Talk) -> Frame:
    if frame.rows is None or frame.shape is None:
        raise UsageError("a language model scores rows, and there are only arrays", hint="pass data")
    rows = frame.rows
    with talk.progress(f"scoring with {model}") as progress:
        result = language_model_scores(
            examples(rows.table, frame.shape, rows.where), model, total=frame.n, where=rows.where, progress=progress
        )
    for notice in result.notices:
        talk.notice(notice)
    if result.untrained:
        row = int(np.flatnonzero(np.isnan(result.scores))[0])
        raise DataError(
            f"{result.untrained:,} rows have nothing the model would be trained on, so they have no loss",
            where=rows.where(row),
            expected="an answer in every row",
            hint="take these rows out of the input, or score another way",
        )
    if result.cut_rows:
        talk.notice(
            f"{result.cut_rows:,} rows are longer than {result.max_length:,} tokens: {result.cut_tokens:,} tokens were "
            "left out of their scores"
        )
    scored = dataclasses.replace(frame, scores=Scores(result.scores, higher_is_harder))
    return scored.found(
        score_model={
            "model": result.model,
            "revision": result.revision,
            "rendering": result.rendering,
            "dtype": result.dtype,
            "cut_rows": result.cut_rows,
            "cut_tokens": result.cut_tokens,
        }
    )
