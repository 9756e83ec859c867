"""What a run reads, as content digests: with the plan they are the identity of its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sage_select import io
from sage_select.cache import key_of
from sage_select.columns import SOURCE
from sage_select.pipeline import Pipeline
from sage_select.pipeline.run import GIVEN
from sage_select.render.adapter_files import adapter_digest, adapter_folder
from sage_select.render.model_files import model_content
from sage_select.stages.inputs.replayed import buffer_beside
from sage_select.stages.source import RowCount, Source
from sage_select.values.location import InputSetting

__all__ = ["input_digests"]


def input_digests(
    pipeline: Pipeline, rows: io.Rows | RowCount, files: io.Beside, values: Mapping[str, Any]
) -> dict[str, str]:
    """Return name -> digest of everything the run depends on; files beside the rows are then read from `files`.

    A model that is no local folder stands by the commit that is there of it, or by its name where there is none yet.
    Where rows hold the names of the files that they came from, these are a part of them.

    Raises
    ------
    UsageError
        If a named file is missing.
    """
    digests = {} if isinstance(rows, RowCount) else _source_digests(rows)
    counts: dict[str, int] = {}
    for setting in pipeline.inputs():
        if setting.name.partition(".")[0] == Source.name or setting.value == GIVEN:
            continue
        # Of a setting that names several files, each has a number.
        number = counts[setting.name] = counts.get(setting.name, 0) + 1
        name = setting.name if number == 1 else f"{setting.name} {number}"
        digests[name] = _setting_digest(setting, files)
    return {**digests, **{name: _digest(value) for name, value in values.items() if name != "source.path"}}


def _setting_digest(setting: InputSetting, files: io.Beside) -> str:
    if setting.kind == "rows":
        digest = io.rows_digest(setting.value)
        files.was_read(setting.value, digest)
        return digest
    if setting.kind == "model":
        return model_content(setting.value) or setting.value
    if setting.kind == "adapter":
        return adapter_digest(adapter_folder(setting.value))
    if setting.kind == "buffer":
        return buffer_beside(files, setting.value).digest
    return files.digest(setting.value)


def _source_digests(rows: io.Rows) -> dict[str, str]:
    if SOURCE not in rows.table.column_names:
        return {"source": rows.digest}
    names = pc.unique(rows.table[SOURCE]).to_pylist()
    return {"source": rows.digest, "source.names": key_of([str(name) for name in names])}


def _digest(value: Any) -> str:
    """Return a digest of values, the same for the same values of the same type."""
    if isinstance(value, pa.Array | pa.ChunkedArray):
        return io.digest_table(pa.table({"values": value}))
    if not isinstance(value, np.ndarray) and (
        hasattr(value, "__arrow_c_stream__")
        or (isinstance(value, list | tuple) and value and isinstance(value[0], dict))
    ):
        return io.from_object(value).digest
    digest = hashlib.blake2b(digest_size=32)
    array = np.asarray(value) if isinstance(value, np.ndarray) else None
    if array is not None and array.dtype != object:
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    else:
        digest.update(json.dumps([str(one) for one in value]).encode())
    return f"blake2b-256:{digest.hexdigest()}"
