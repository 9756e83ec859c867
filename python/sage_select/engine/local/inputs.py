"""What a run reads, as content digests: with the plan they are the identity of its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from sage_select import io
from sage_select.io.tables.digest import digest_files
from sage_select.paths import user_path
from sage_select.pipeline import Pipeline
from sage_select.pipeline.run import GIVEN
from sage_select.render.weight_files import model_files
from sage_select.stages.source import RowCount, Source
from sage_select.values.location import InputSetting

__all__ = ["input_digests"]


def input_digests(
    pipeline: Pipeline, rows: io.Rows | RowCount, files: io.Beside, values: Mapping[str, Any]
) -> dict[str, str]:
    """Return name -> digest of everything the run depends on; files beside the rows are then read from `files`.

    A model that is no local folder stands by its name; the revision it resolves to is in the manifest.

    Raises
    ------
    UsageError
        If a named file is missing.
    """
    digests = {} if isinstance(rows, RowCount) else {"source": rows.digest}
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
    return _model_digest(setting.value) if setting.kind == "model" else files.digest(setting.value)


def _model_digest(model: str) -> str:
    folder = user_path(model)
    return digest_files(model_files(folder)) if folder.is_dir() else model


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
