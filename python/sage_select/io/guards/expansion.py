"""What arrays take in plain types, known before they are made plain.

Dictionaries, runs, views and list views name the same bytes any number of times, and lists of a fixed size need no
bytes at all for nulls: a few hundred bytes can stand for more memory than there is.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.io.guards.damage import refuse_expansion

__all__ = ["ROW_BYTES", "PlainSize", "plain_bytes"]

#: What a row takes at least once it is worked with: its place, its hash, its scores.
ROW_BYTES: Final = 32
#: Values whose sizes are added up one by one; more of them than this are themselves too much.
_MOST_VALUES: Final = 1 << 27


class PlainSize:
    """Adds up what batches take in plain types, and refuses what expands too far.

    Parameters
    ----------
    packed
        Bytes that they were read from.
    name
        The input, for messages.
    """

    def __init__(self, packed: int, name: str) -> None:
        self.packed = packed
        self._name = name
        self.total = 0

    def expect(self, declared: int) -> None:
        """Refuse as `add` does where so many bytes more are still to come."""
        refuse_expansion(self.total + declared, self.packed, self._name)

    def add(self, columns: list[Any], rows: int) -> None:
        """Count the columns of one batch, each an array; they must be valid.

        Raises
        ------
        DataError
            Where all batches so far take more than any data set of this size does.
        ResourceError
            Where they take more memory than there is.
        """
        self.total += rows * ROW_BYTES
        refuse_expansion(self.total, self.packed, self._name)
        for column in columns:
            self.total += plain_bytes(column)
            refuse_expansion(self.total, self.packed, self._name)


def plain_bytes(array: Any) -> int:
    """Return about how many bytes a valid array takes in plain types, without making it plain."""
    kind, types = array.type, pa.types
    if isinstance(array, pa.ExtensionArray):
        return plain_bytes(array.storage)
    if not _repeats(kind):
        return int(array.nbytes)
    if types.is_struct(kind) or types.is_union(kind):
        return len(array) + sum(plain_bytes(array.field(index)) for index in range(kind.num_fields))
    if types.is_list(kind) or types.is_large_list(kind):
        if not len(array):
            return 0
        first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
        return 4 * len(array) + plain_bytes(array.values.slice(first, last - first))
    if types.is_fixed_size_list(kind):
        size = kind.list_size
        return len(array) + plain_bytes(array.values.slice(array.offset * size, len(array) * size))
    if types.is_map(kind):
        return 4 * len(array) + plain_bytes(array.keys) + plain_bytes(array.items)
    if types.is_null(kind):
        return len(array)
    return int(_sizes(array).sum()) if len(array) <= _MOST_VALUES else len(array) * ROW_BYTES


def _repeats(kind: pa.DataType) -> bool:
    """Whether arrays of a type can stand for more bytes than they hold."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return _repeats(kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind) or types.is_null(kind):
        return True
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return True
    if types.is_list_view(kind) or types.is_large_list_view(kind) or types.is_fixed_size_list(kind):
        return True
    return any(_repeats(kind.field(index).type) for index in range(kind.num_fields))


def _sizes(array: Any) -> NDArray[np.float64]:
    """Return about how many bytes each value takes in plain types; float64, so that no sum of them wraps around."""
    kind, types, count = array.type, pa.types, len(array)
    if count > _MOST_VALUES:
        return np.full(1, float(count) * ROW_BYTES)  # one number for all: it is refused
    if isinstance(array, pa.ExtensionArray):
        return _sizes(array.storage)
    if types.is_dictionary(kind):
        return _taken(_sizes(array.dictionary), array.indices)
    if types.is_run_end_encoded(kind):
        ends = np.clip(array.run_ends.to_numpy().astype(np.int64) - array.offset, 0, count)
        return np.repeat(_sizes(array.values), np.diff(ends, prepend=0))
    if types.is_string_view(kind) or types.is_binary_view(kind):
        views = np.frombuffer(array.buffers()[1], np.int32)[: 4 * (array.offset + count)].reshape(-1, 4)
        return np.where(_valid(array), views[array.offset :, 0], 0) + 4.0
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        return _summed(_sizes(array.values), _filled(array.offsets)[:count], _filled(array.sizes)[:count])
    if types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        offsets = _filled(array.offsets)
        items = _sizes(array.values if not types.is_map(kind) else array.items)
        if types.is_map(kind):
            items = items + _sizes(array.keys)
        return _summed(items, offsets[:-1], np.diff(offsets))
    if types.is_fixed_size_list(kind):
        starts = (array.offset + np.arange(count)) * kind.list_size
        return _summed(_sizes(array.values), starts, np.full(count, kind.list_size))
    if types.is_struct(kind):
        members = [_sizes(array.field(index)) for index in range(kind.num_fields)]
        return np.asarray(np.stack([np.ones(count), *members]).sum(axis=0), np.float64)
    if types.is_string(kind) or types.is_binary(kind) or types.is_large_string(kind) or types.is_large_binary(kind):
        return _filled(pc.binary_length(array)).astype(np.float64) + 4.0
    return np.full(count, max(1.0, array.nbytes / max(1, count)))


def _taken(sizes: NDArray[np.float64], indices: Any) -> NDArray[np.float64]:
    if not len(sizes):
        return np.zeros(len(indices))
    return np.where(_valid(indices), sizes[np.minimum(_filled(indices), len(sizes) - 1)], 0.0)


def _summed(items: NDArray[np.float64], starts: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return the sizes of lists whose items lie from these starts on."""
    totals = np.concatenate([[0.0], np.cumsum(items)])
    last = len(totals) - 1
    ends = np.minimum(starts + counts, last)
    sizes: NDArray[np.float64] = totals[ends] - totals[np.minimum(starts, last)] + 4.0
    return sizes


def _filled(values: Any) -> NDArray[np.int64]:
    filled = pc.fill_null(values, 0) if values.null_count else values
    return np.asarray(filled.to_numpy(zero_copy_only=False)).astype(np.int64)


def _valid(array: Any) -> NDArray[np.bool_]:
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False))
