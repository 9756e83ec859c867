"""Numbers and vectors of other libraries as numpy or Arrow arrays."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sage_select.errors import DataError, UsageError
from sage_select.io import read_npy
from sage_select.io.formats.npy import Kind
from sage_select.io.guards.damage import damage_errors
from sage_select.io.inputs.objects import table_of

__all__ = ["plain_values", "validated"]

#: What `.npy` files hold for an argument; vectors where nothing else is said.
_FILES: Final[Mapping[str, Kind]] = {"scores": "scores", "probabilities": "predictions"}


def plain_values(value: Any, name: str) -> Any:
    """Return what a program hands over for one number, vector or group a row as something numpy or Arrow reads.

    Parameters
    ----------
    value
        A torch tensor (of any device and float type, with or without gradients), a polars or pandas Series or
        DataFrame, a list of tensors, the path of an `.npy` file, an Arrow array or table, a DuckDB relation, or
        anything that numpy takes, which comes back as it is.
    name
        What messages call it.

    Returns
    -------
    object
        Lists in a Series come back as an Arrow list array, where the library has them so, else as a 2-dimensional
        numpy array where all have one length. A table of one column is that column; of vectors, the columns of one of
        several are their dimensions. bfloat16, which numpy has not, becomes float32: no value changes.

    Raises
    ------
    UsageError
        Where it is an expression of polars, or a table of several columns in place of one number a row.
    DataError
        Where a sparse or quantised array would have to be written out, or an Arrow array is damaged.
    """
    if isinstance(value, Path):
        return read_npy(value, rows=None, kind=_FILES.get(name, "embeddings"))
    if _is_instance(value, "torch", "Tensor"):
        return _of_tensor(value, name)
    if _is_instance(value, "polars", "Series"):
        return value.to_arrow() if value.dtype.is_nested() else value.to_numpy()
    if _is_instance(value, "polars", "Expr"):
        raise UsageError(
            "an expression of polars has no values without its frame",
            where=name,
            hint="after `import sage_select.polars`, frame.sage.select(...) takes expressions",
        )
    if _is_instance(value, "pandas", "Series"):
        return _of_pandas(value, name)
    if _is_instance(value, "polars", "DataFrame") or _is_instance(value, "pandas", "DataFrame"):
        if value.shape[1] == 1:
            return plain_values(value[value.columns[0]], name)
        _refuse_columns(value.columns, name)
        return _plain_array(value.to_numpy())
    if isinstance(value, list | tuple) and value and _is_instance(value[0], "torch", "Tensor"):
        return _stacked([_of_tensor(one, name) if _is_instance(one, "torch", "Tensor") else one for one in value])
    if isinstance(value, pa.Array | pa.ChunkedArray):
        return validated(value, name)
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise DataError("this array is sparse", where=name, hint=f"{name}.toarray() has a value for every cell")
    if isinstance(value, np.ndarray):
        return _plain_array(value)
    table = table_of(value, name)
    if table is None:
        return value
    if table.num_columns == 1:
        return table.column(0)
    _refuse_columns(table.column_names, name)
    return np.column_stack([column.to_numpy() for column in table.columns])


def _refuse_columns(columns: Sequence[Any], name: str) -> None:
    """Refuse several columns where there is one value a row; vectors may have a column for each dimension."""
    if name != "embeddings":
        got = ", ".join(map(str, list(columns)[:5]))
        raise UsageError("a table of one column is expected", where=name, got=got or "no column")


def _is_instance(value: Any, module: str, name: str) -> bool:
    """Tell whether `value` is of a class whose module may never have been imported."""
    loaded = sys.modules.get(module)
    kind = getattr(loaded, name, None)
    return kind is not None and isinstance(value, kind)


def _of_tensor(tensor: Any, name: str) -> Any:
    torch = sys.modules["torch"]
    if tensor.layout is not torch.strided or tensor.is_quantized:
        raise DataError("this tensor is sparse or quantised", where=name, hint=f"pass {name}.to_dense()")
    tensor = tensor.detach().cpu()
    known = {torch.float16, torch.float32, torch.float64}
    return (tensor.float() if tensor.is_floating_point() and tensor.dtype not in known else tensor).numpy()


def validated(value: Any, name: str) -> Any:
    """Return a value; every entry of an Arrow array is validated, because Arrow trusts what it is given.

    Raises
    ------
    DataError
        Where offsets, lengths or texts of the array are damaged.
    """
    if isinstance(value, pa.Array | pa.ChunkedArray):
        with damage_errors(name, "an Arrow array"):
            value.validate(full=True)
    return value


def _of_pandas(series: Any, name: str) -> Any:
    if hasattr(series.array, "__arrow_array__"):
        column = validated(pa.array(series), name)
        if pa.types.is_nested(column.type):
            return column
    return _plain_array(series.to_numpy())


def _plain_array(array: Any) -> Any:
    """Return an array of numpy's own types: objects that are rows of one length become a matrix."""
    if array.dtype.name == "bfloat16":  # of ml_dtypes, as jax has it
        return array.astype(np.float32)
    if array.dtype == object and array.ndim == 1 and len(array) and isinstance(array[0], list | tuple | np.ndarray):
        return _stacked(list(array))
    return array


def _stacked(rows: list[Any]) -> Any:
    """Return rows as one array; where they differ, as the list they are, for the check of shapes to name the row."""
    try:
        return np.stack([np.asarray(row) for row in rows])
    except (ValueError, TypeError):
        return rows
