"""Means over the trained tokens of rows, under a model that is loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import DataError, UsageError, Where
from sage_select.render.example import Example
from sage_select.render.refused import RefusedRows
from sage_select.render.tokens import IGNORED, Encoded
from sage_select.score.batches import Passes, Work
from sage_select.score.token_rows import TokenRows

__all__ = ["RowMeans", "answers_alone"]

#: Changes with what is held of rows.
_VERSION: Final = 2


class RowMeans:
    """Figures of rows; `language_model_scores` says what the parameters are."""

    def __init__(self, rows: TokenRows, over: Literal["rows", "answers"]) -> None:
        self._rows, self._over = rows, over

    @property
    def work(self) -> Work:
        """What the model was shown."""
        return self._rows.work

    @property
    def refused(self) -> RefusedRows:
        """The rows that the chat template refuses."""
        return self._rows.refused

    @property
    def columns(self) -> dict[str, Any]:
        """What is held of rows: name -> dtype."""
        figures = ("loss",) if self._over == "answers" else ("loss", "entropy", "el2n")
        return {
            **dict.fromkeys(figures, np.float64),
            "tokens": np.int64,
            "cut_tokens": np.int64,
            "left_out": np.bool_,
        }

    def identity(self) -> Mapping[str, Any] | None:
        """Return all that the figures of rows depend on beside them; None where the model's content is not known."""
        known = self._rows.identity()
        return None if known is None else {**known, "figures": _VERSION, "over": self._over}

    def load(self) -> None:
        """Load the model, if it is not there."""
        self._passes  # noqa: B018

    @property
    def facts(self) -> dict[str, Any]:
        """What is told of the rendering of the rows so far, as plain values."""
        return self._rows.facts

    @cached_property
    def _passes(self) -> Passes:
        _, network = self._rows.loaded
        from sage_select.score.token_means import TokenMeans

        means = TokenMeans(network, only_loss=self._over == "answers")
        return Passes(means, self._rows.batch_tokens, self._rows.work)

    @cached_property
    def _start(self) -> int:
        """The token behind which an answer stands alone."""
        tokenizer = self._rows.renderer.tokenizer
        start = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        if start is None:
            raise UsageError(
                "the tokenizer has no token that begins a text, so no answer can be scored without its prompt",
                where=self._rows.model.name,
                expected="a BOS or an EOS token",
            )
        return int(start)

    def of(
        self, examples: Iterable[Example], place: Callable[[int], Where], progress: Callable[[int], None]
    ) -> dict[str, NDArray[Any]]:
        """Return of each row the means, NaN where nothing is trained, and how it was cut: `columns`."""
        rows, left_out = self._rows.encoded(examples, place)
        # A row may make several training examples; its figures are those of all their trained tokens.
        shown = [
            (index, part)
            for index, row in enumerate(rows)
            for one in row
            if one.trained
            for part in (answers_alone(one, self._start) if self._over == "answers" else [one])
        ]
        owners = np.array([index for index, _ in shown], np.int64)
        trained = np.array([one.trained for _, one in shown], np.float64)
        columns = self.columns
        figures = [name for name in columns if name not in ("tokens", "cut_tokens", "left_out")]
        found = np.zeros((len(shown), len(figures)))
        finished = 0
        for batch, means in self._passes([one for _, one in shown]):
            found[batch] = means
            bad = next((index for index in batch if not np.isfinite(found[index]).all()), None)
            if bad is not None:
                raise DataError(
                    "the model's loss on this row is not a finite number",
                    where=place(owners[bad]),
                    got=str(found[bad, 0]),
                    hint="the model may be damaged, or need more precision than its device gives it",
                )
            finished += len(batch)
            progress(len(rows) * finished // len(shown))
        tokens = np.bincount(owners, weights=trained, minlength=len(rows))
        values: dict[str, NDArray[Any]] = {}
        for place_of, name in enumerate(figures):
            sums = np.bincount(owners, weights=found[:, place_of] * trained, minlength=len(rows))
            values[name] = np.full(len(rows), np.nan)
            np.divide(sums, tokens, out=values[name], where=tokens > 0)
        cuts = np.array([sum(one.cut for one in row) for row in rows], np.int64)
        return {
            **values,
            "tokens": tokens.astype(np.int64),
            "cut_tokens": cuts,
            "left_out": np.array(left_out, np.bool_),
        }


def answers_alone(one: Encoded, start: int) -> Iterator[Encoded]:
    """Yield each unbroken stretch of the trained tokens of an example, behind the token `start`.

    Examples
    --------
    >>> one = Encoded([5, 6, 7, 8, 9], [-100, 6, 7, -100, 9], trained=3, cut=0)
    >>> [part.input_ids for part in answers_alone(one, 1)]
    [[1, 6, 7], [1, 9]]
    """
    stretch: list[int] = []
    for label in [*one.labels, IGNORED]:
        if label != IGNORED:
            stretch.append(label)
        elif stretch:
            yield Encoded([start, *stretch], [IGNORED, *stretch], len(stretch), 0)
            stretch = []
