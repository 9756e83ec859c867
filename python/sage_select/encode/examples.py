"""Vectors of rows under a causal language model, by a rule that sees their tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.cache import Blocks, Computed, compute_blocks, spans
from sage_select.encode.blocks import FACTS, content_of, gathered
from sage_select.encode.embeddings import Embeddings
from sage_select.errors import DataError, Where
from sage_select.render.example import Example, Text
from sage_select.render.tokens import Encoded
from sage_select.score.batches import Passes
from sage_select.score.token_rows import TokenRows

__all__ = ["TextExamples", "VectorRule", "embed_examples"]

#: Rows held as tokens at a time, and as vectors by a cache; they are sorted by length among themselves.
_BLOCK_ROWS: Final = 2048
#: Changes with what is held of rows.
_VERSION: Final = 1


class VectorRule(Protocol):
    """What makes vectors of tokens."""

    @property
    def trained_only(self) -> bool:
        """Whether a row without trained tokens has no vector: then a vector is a mean over these, else over all."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """Return all that vectors depend on beside the model and the tokens."""
        ...

    def width(self, network: Any) -> int:
        """Return the width of the vectors."""
        ...

    def of(self, network: Any) -> Callable[[Sequence[Encoded]], NDArray[np.float32]]:
        """Return what gives one vector for each row of a batch, (rows, width), under a model of transformers."""
        ...


class _Examples(Protocol):
    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Iterable[Example]: ...


class TextExamples:
    """Texts as rows, read some at a time."""

    def __init__(self, texts: pa.ChunkedArray) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, rows: slice) -> Iterator[Example]:
        """Return the texts from one row to before another, in order."""
        start, stop, _ = rows.indices(len(self))
        return map(Text, self._texts.slice(start, stop - start).to_pylist())

    def content(self, start: int, stop: int) -> str:
        """Return what names some texts."""
        return content_of(self._texts.slice(start, stop - start))

    def where(self, row: int) -> Where:
        """Return the place of a text."""
        return Where(row=row)


def embed_examples(
    examples: _Examples,
    rows: TokenRows,
    rule: VectorRule,
    *,
    where: Callable[[int], Where] | None = None,
    blocks: Blocks = compute_blocks,
    progress: Callable[[int, int], None] | None = None,
) -> Embeddings:
    """Return the vector of each row, of length 1.

    Parameters
    ----------
    examples
        The rows.
    rows
        What makes tokens of them, and has the model.
    rule
        What makes vectors of tokens. A row of several training examples has the mean of their vectors, weighted by
        their tokens.
    where
        Row number -> its place, for messages.
    blocks
        Gives the vectors of blocks of 2048 rows that are held, and has the others computed.
    progress
        Called with (rows done, rows).

    Raises
    ------
    UsageError
        The model is no causal language model, or the rule cannot use it.
    DataError
        The vector of a row is not finite.
    ResourceError
        The extra or the device is missing, or one row alone does not fit into memory.

    Notes
    -----
    Memory is that of 2048 rows of tokens and vectors, one batch, and 4 n d bytes. A row's vector does not depend on
    the rows around it beyond rounding. Rows without tokens, or without a trained one where the rule needs some, and
    those whose vector is zero get the unit vector of the first axis, and are counted.
    """
    place = where or (lambda row: Where(row=row))
    vectors = _RowVectors(rows, rule)

    def compute(start: int, stop: int) -> Computed:
        vectors.load()
        begun, refused = time.monotonic(), rows.refused.count
        found = vectors.of(
            examples[start:stop],
            lambda row: place(start + row),
            lambda done: None if progress is None else progress(start + done, len(examples)),
        )
        rows.work.seconds += time.monotonic() - begun
        return Computed(found, lasting=rows.refused.count == refused)  # those refused are to be told again

    def identity() -> Mapping[str, Any] | None:
        known = rows.identity()
        return None if known is None else {**known, **rule.identity(), "block_rows": _BLOCK_ROWS, "vectors": _VERSION}

    array, facts = gathered(blocks(identity, spans(len(examples), _BLOCK_ROWS), compute), len(examples), progress)
    if array is None:
        array = np.empty((0, rule.width(rows.loaded[1])), np.float32)
    model = rows.model
    return Embeddings(
        array,
        model.name if model.adapter is None else f"{model.name} with {model.adapter}",
        empty_rows=facts.empty,
        cut_rows=facts.cut,
        revision=model.revision,
        notices=[*facts.notices, *rows.refused.lines()],
    )


class _RowVectors:
    """The vectors of the rows of a block."""

    def __init__(self, rows: TokenRows, rule: VectorRule) -> None:
        self._rows, self._rule = rows, rule

    def load(self) -> None:
        """Load the model, if it is not there."""
        self._passes  # noqa: B018

    @cached_property
    def _passes(self) -> Passes:
        return Passes(self._rule.of(self._rows.loaded[1]), self._rows.batch_tokens, self._rows.work)

    @property
    def _width(self) -> int:
        return self._rule.width(self._rows.loaded[1])

    def of(
        self, examples: Iterable[Example], place: Callable[[int], Where], progress: Callable[[int], None]
    ) -> pa.Table:
        """Return the vectors, and what there is to tell of them."""
        blank: list[bool] = []
        encoded, _ = self._rows.encoded(_seen(examples, blank), place)
        shown = [
            (row, one)
            for row, parts in enumerate(encoded)
            for one in parts
            if one.input_ids and not blank[row] and (one.trained or not self._rule.trained_only)
        ]
        sums = np.zeros((len(encoded), self._width))
        finished = 0
        for batch, vectors in self._passes([one for _, one in shown]):
            bad = np.flatnonzero(~np.isfinite(vectors).all(1))
            if bad.size:
                raise DataError(
                    "the model gives this row a vector with a number that is not finite",
                    where=place(shown[batch[bad[0]]][0]),
                    hint="the model may be damaged, or need more precision than its device gives it",
                )
            for index, vector in zip(batch, vectors, strict=True):
                row, one = shown[index]
                tokens = one.trained if self._rule.trained_only else len(one.input_ids)
                sums[row] += np.float64(tokens) * vector
            finished += len(batch)
            progress(len(encoded) * finished // len(shown))
        lengths = np.linalg.norm(sums, axis=1)
        array = np.zeros((len(encoded), self._width), np.float32)
        np.divide(sums, lengths[:, None], out=array, where=lengths[:, None] > 0, casting="same_kind")
        none = lengths == 0
        array[none, 0] = 1
        column = pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), self._width)
        facts = {
            "empty": int(none.sum()),
            "cut": sum(any(one.cut for one in parts) for parts in encoded),
            "notices": self._rows.facts["notices"],
        }
        return pa.table({"vector": column}).replace_schema_metadata({FACTS: json.dumps(facts)})


def _seen(examples: Iterable[Example], blank: list[bool]) -> Iterator[Example]:
    """Yield the examples, and note of each whether it is a text without words: its end token says nothing."""
    for one in examples:
        blank.append(isinstance(one, Text) and not one.text.strip())
        yield one
