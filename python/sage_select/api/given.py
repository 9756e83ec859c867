"""The arguments of `select` as settings of a plan, and the values that stand for files in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sage_select.errors import UsageError
from sage_select.io.inputs.objects import repeatable
from sage_select.pipeline.run import GIVEN
from sage_select.stages.source import RowCount

__all__ = ["Given"]

_INPUT: Final = "source.path"


class Given:
    """What a program hands over in place of files and columns.

    Attributes
    ----------
    values
        Setting -> value, as `engine.finish` takes them.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def value(self, setting: str, value: Any) -> None:
        """Take a value, where there is one."""
        if value is not None:
            self.values[setting] = value

    def file(self, setting: str, value: Any) -> str | None:
        """Return what stands in the plan for a file: its path, or `GIVEN` for values."""
        if value is None or isinstance(value, str):
            return value
        self.values[setting] = repeatable(value)
        return GIVEN

    def files(self, setting: str, value: Any) -> str | list[str]:
        """Return what stands in the plan for one file or several: their paths, or `GIVEN` for rows."""
        if isinstance(value, str | Path):
            return str(value)
        if isinstance(value, list | tuple) and value and all(isinstance(one, str | Path) for one in value):
            return [str(one) for one in value]
        # The rows of the input are read once; others are read again for their digest.
        self.values[setting] = value if setting == _INPUT else repeatable(value)
        return GIVEN

    def column_or_file(self, setting: str, value: Any) -> dict[str, Any]:
        """Return the settings for values of rows: text names a column, anything else are the values."""
        return {"column": value} if isinstance(value, str) else {"file": self.file(setting, value)}

    def rows(self, data: Any, **arrays: Any) -> str | list[str]:
        """Return the path of the rows, or `GIVEN` for an object with rows or as many as an array has.

        Raises
        ------
        UsageError
            If there is nothing to select from.
        """
        return self.files(_INPUT, data if data is not None else _rows_of_arrays(arrays))


def _rows_of_arrays(arrays: Mapping[str, Any]) -> RowCount:
    for name, value in arrays.items():
        if isinstance(value, str):
            raise UsageError(f"{name}={value!r} names a column, and there is no data", hint="pass data, or an array")
        if value is not None:
            return RowCount(len(value))
    raise UsageError("nothing to select from", hint="pass data, or scores or embeddings as arrays")
