"""The rows of a buffer from its log."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sage_select.replay.rows import NOT_KNOWN, ReplayRows
from sage_select.replay.state import EVENTS

__all__ = ["members_of"]

#: What a row is after which it is in the buffer.
_IN = ("member", "entered", "scored")


def members_of(members: pa.Table | None, log: Sequence[pa.Table]) -> ReplayRows:
    """Return the rows of a buffer: those of `members`, and what the log says of what happened since.

    The last that is said of a row counts. They stand in the order in which they came.
    """
    table = pa.concat_tables([EVENTS.empty_table(), *([] if members is None else [members]), *log]).combine_chunks()
    coded = table["row_id"].combine_chunks().dictionary_encode()
    codes = coded.indices.to_numpy() if table.num_rows else np.empty(0, np.int64)
    _, from_the_end = np.unique(codes[::-1], return_index=True)
    last = np.sort(len(codes) - 1 - from_the_end)
    found = table.take(pa.array(last))
    is_in = np.isin(np.array(found["event"].to_pylist(), object), _IN)
    found = found.filter(pa.array(is_in))
    found = found.sort_by("arrival")
    whole = {name: found[name].fill_null(NOT_KNOWN).to_numpy() for name in ("scored", "tokens")}
    return ReplayRows(
        words=found["word"].to_numpy(),
        arrivals=found["arrival"].to_numpy(),
        scores=found["score"].to_numpy(zero_copy_only=False).astype(np.float64),
        scored=whole["scored"],
        groups=found["group"].combine_chunks(),
        tokens=whole["tokens"],
        segments=found["segment"].to_numpy(),
        places=found["place"].to_numpy(),
        ids=found["row_id"].combine_chunks(),
    )
