"""Hugging Face dataset folders, as `Dataset.save_to_disk` lays them out."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePath
from typing import Any, Final

from sage_select.errors import DataError
from sage_select.io.source.opened import Input
from sage_select.io.tables.strict_json import StrictJsonError, decode

__all__ = ["INFO_FILE", "STATE_FILE", "data_files", "is_hf_folder", "is_saved", "state_json"]

STATE_FILE: Final = "state.json"
INFO_FILE: Final = "dataset_info.json"
_SPLITS_FILE: Final = "dataset_dict.json"
#: What file systems take, and what `datasets` writes at most by far.
_LONGEST_NAME: Final = 255
_MOST_JSON: Final = 64 << 20


def is_hf_folder(path: Path) -> bool:
    """Tell whether a folder holds one saved dataset."""
    return (path / STATE_FILE).is_file()


def is_saved(path: Path) -> bool:
    """Tell whether a folder is one that `datasets` saved, one split or several."""
    return is_hf_folder(path) or (path / _SPLITS_FILE).is_file()


def data_files(source: Input) -> list[Input]:
    """Return the Arrow files of a saved dataset, in order.

    Raises
    ------
    DataError
        Where the folder holds no dataset, several splits, or names files outside itself.
    """
    if (source.path / _SPLITS_FILE).is_file():
        splits = _json(source, _SPLITS_FILE).get("splits")
        names = [str(name) for name in splits] if isinstance(splits, list) else []
        raise DataError(
            "holds several splits",
            where=source.name,
            got=", ".join(names),
            hint=f"name one of them, such as {PurePath(source.name, names[0])}" if names else None,
        )
    if not is_hf_folder(source.path):
        raise DataError(
            "is a folder without a saved dataset",
            where=source.name,
            expected=f"a folder with {STATE_FILE}, as save_to_disk writes it",
            hint="name the files in it, for example with *.parquet",
        )
    state = _json(source, STATE_FILE)
    if state.get("_indices_data_files"):
        raise DataError("is a dataset with an indices file", where=source.name, hint="save it after flatten_indices()")
    entries = state.get("_data_files")
    if not isinstance(entries, list) or not entries:
        raise DataError(f"{STATE_FILE} names no data files", where=source.name)
    return [_data_file(source, entry) for entry in entries]


def state_json(fingerprint: str, files: list[str]) -> str:
    """Return the text of `state.json` for a dataset in `files`."""
    state: dict[str, Any] = {
        "_data_files": [{"filename": name} for name in files],
        "_fingerprint": fingerprint,
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    return json.dumps(state, indent=2, sort_keys=True) + "\n"


def _data_file(source: Input, entry: Any) -> Input:
    name = entry.get("filename") if isinstance(entry, dict) else None
    if not isinstance(name, str) or name != PurePath(name).name or name in ("", "..", "."):
        raise DataError(f"{STATE_FILE} names a file that is not in the folder", where=source.name, got=str(name)[:80])
    if len(os.fsencode(name)) > _LONGEST_NAME or not (source.path / name).is_file():
        raise DataError(f"the data file {name[:80]!r} is missing", where=source.name)
    return source.member(name)


def _json(source: Input, name: str) -> dict[str, Any]:
    try:
        member = source.member(name)
        if member.size > _MOST_JSON:
            raise DataError(f"{name} is too large to be the description of a dataset", where=source.name)
        value = decode(member.at(0, member.size).decode())
    except (StrictJsonError, UnicodeDecodeError) as error:
        raise DataError(f"{name} is not JSON", where=source.name, got=str(error)[:80]) from None
    if not isinstance(value, dict):
        raise DataError(f"{name} is not a JSON object", where=source.name)
    return value
