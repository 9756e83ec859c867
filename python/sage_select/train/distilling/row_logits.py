"""What a model said of a row when it had been trained on it, as a replay buffer holds it beside the row.

A value is null, or has, of the examples that the row makes: `tokens`, the digest of the tokens and labels of each; and
of their n trained tokens, one after the other, `ids` (int32, n x k, the most likely first), `log_probs` (float16,
n x k) and `tails` (float32, n: the probability of all other tokens), all at temperature 1. `tokenizer` is the digest of
the tokens and their numbers. That is 6 k + 4 bytes a trained token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from sage_select.display import counted
from sage_select.errors import DataError
from sage_select.train.distilling.examples import TokenisedExample, examples_of
from sage_select.train.distilling.vocabulary import known_tokens, vocabulary_digest

if TYPE_CHECKING:
    from sage_select.train.data import TrainingRows
    from sage_select.train.distilling.log_probs import Said
    from sage_select.train.distilling.stored_teacher import StoredTeacher, Values

__all__ = ["TEMPERATURE", "TYPE", "ReplayedLogits", "row_logits"]

#: Of the probabilities that are stored, and of the divergence that is made of them.
TEMPERATURE: Final = 1.0
TYPE: Final = pa.struct(
    [
        pa.field("tokenizer", pa.string()),
        pa.field("tokens", pa.list_(pa.binary(16))),
        pa.field("ids", pa.large_list(pa.int32())),
        pa.field("log_probs", pa.large_list(pa.float16())),
        pa.field("tails", pa.large_list(pa.float32())),
    ]
)


def row_logits(
    row_ids: Sequence[str], examples: Sequence[TokenisedExample], said: Sequence[Said], tokenizer: str
) -> pa.StructArray:
    """Return what was said of the examples of some rows, a value for each id; null where it has no example.

    Parameters
    ----------
    examples, said
        Those of one row follow each other.
    tokenizer
        The digest of its tokens.
    """
    from sage_select.train.distilling.log_probs import lists_of

    first: dict[str, int] = {}
    count: dict[str, int] = {}
    for place, one in enumerate(examples):
        first.setdefault(one.row_id, place)
        count[one.row_id] = count.get(one.row_id, 0) + 1
    own = [range(first.get(row_id, 0), first.get(row_id, 0) + count.get(row_id, 0)) for row_id in row_ids]
    parts = [
        [np.concatenate([_EMPTY[column], *(said[place][column].ravel() for place in places)]) for places in own]
        for column in range(3)
    ]
    columns = [
        pa.array([tokenizer] * len(own), pa.string()),
        pa.array([[examples[place].digest for place in places] for places in own], pa.list_(pa.binary(16))),
        *(lists_of(part) if part else pa.array([], field.type) for part, field in zip(parts, [*TYPE][2:], strict=True)),
    ]
    nothing = pa.array([not places for places in own], pa.bool_())
    return pa.StructArray.from_arrays(columns, fields=[*TYPE], mask=nothing)


_EMPTY: Final = tuple(np.zeros(0, kind) for kind in (np.int32, np.float16, np.float32))


@dataclass(frozen=True)
class _Place:
    """Where it is said of an example: the row, and the first of its trained tokens, in the row and after it."""

    row: int
    start: int
    stop: int


class ReplayedLogits:
    """What was said of the training examples of a run, where these have the tokens that they had then.

    Parameters
    ----------
    rows
        The training examples.
    held
        Id of a row -> its place in `logits`.
    logits
        Of `TYPE`.
    tokenizer
        That of the run.

    Raises
    ------
    DataError
        If a value does not fit together.
    """

    def __init__(self, rows: TrainingRows, held: Mapping[str, int], logits: pa.Array, tokenizer: Any) -> None:
        if logits.type != TYPE:
            raise DataError("the stored logits of replayed rows are of another kind", got=str(logits.type)[:200])
        self._logits, self._known = logits, known_tokens(tokenizer)
        self._trained: list[int] = []
        self._places: list[_Place | None] = []
        self.taught = 0
        #: Why rows have none -> how many.
        self.without: dict[str, int] = {}
        now = vocabulary_digest(tokenizer)
        for examples in _by_row(rows):
            found: list[_Place | None] = [None] * len(examples)
            place = held.get(examples[0].row_id)
            if place is not None:
                why = self._why_not(place, examples, now)
                if why is None:
                    bounds = np.cumsum([0, *(one.trained for one in examples)]).tolist()
                    found = [_Place(place, *pair) for pair in pairwise(bounds)]
                    self.taught += 1
                else:
                    self.without[why] = self.without.get(why, 0) + 1
            self._places += found
            self._trained += [one.trained for one in examples]

    def told(self) -> str:
        """Return how many rows that are replayed have some, and why others have none, in words."""
        every = self.taught + sum(self.without.values())
        have = "has" if self.taught == 1 else "have"
        text = f"of {counted(every, 'row')} to replay {self.taught:,} {have} stored logits"
        if not self.without:
            return text
        why = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.without.items()))
        return f"{text}; the others are trained on their own tokens alone ({why})"

    def teacher(self) -> StoredTeacher:
        """Return it as the loss reads it."""
        from sage_select.train.distilling.stored_teacher import StoredTeacher

        return StoredTeacher(self._said, self._trained, known=self._known, temperature=TEMPERATURE)

    def _said(self, example: int) -> Values | None:
        place = self._places[example]
        if place is None:
            return None
        ids, log_probs, tails = self._values(place.row)
        k = len(ids) // len(tails)
        part = slice(place.start, place.stop)
        return ids.reshape(-1, k)[part], log_probs.reshape(-1, k)[part], tails[part]

    def _values(self, row: int) -> Values:
        ids, log_probs, tails = (
            self._logits.field(name).slice(row, 1).flatten().to_numpy(zero_copy_only=False)
            for name in ("ids", "log_probs", "tails")
        )
        return ids, log_probs, tails

    def _why_not(self, row: int, examples: Sequence[TokenisedExample], tokenizer: str) -> str | None:
        """Return why what lies there is of no use for the examples of a row; None where it is."""
        if not self._logits[row].is_valid:
            return "without"
        if self._logits.field("tokenizer")[row].as_py() != tokenizer:
            return "of another tokenizer"
        if self._logits.field("tokens")[row].as_py() != [one.digest for one in examples]:
            return "of other tokens: another template, or another way to cut rows"
        ids, log_probs, tails = self._values(row)
        n = sum(one.trained for one in examples)
        if len(tails) != n or len(ids) != len(log_probs) or len(ids) % n or not 0 < len(ids) // n < self._known:
            raise DataError("the stored logits of a replayed row are damaged", where=f"row {examples[0].row_id!r}")
        return None


def _by_row(rows: TrainingRows) -> Iterator[list[TokenisedExample]]:
    """Yield the examples of each row."""
    own: list[TokenisedExample] = []
    for one in examples_of(rows):
        if own and own[0].row_id != one.row_id:
            yield own
            own = []
        own.append(one)
    if own:
        yield own
